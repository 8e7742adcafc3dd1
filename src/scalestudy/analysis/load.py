"""Runs during which other programs took a part of the machine."""

from scalestudy.records.report import RunRow

LOAD_LIMIT = 0.05
"""Completed runs in which other programs took more of the machine are flagged."""


def is_loaded(row: RunRow) -> bool:
    """Whether other programs took more than 5 % of the machine during a completed run's timed epochs."""
    return row.outcome == "completed" and row.foreign_load is not None and row.foreign_load > LOAD_LIMIT

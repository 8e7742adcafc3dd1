"""The cells of the table of all runs as text: Typst keeps every call of its own functions, 150 MB for 1,000 runs."""

from scalestudy.analysis.language import LANGUAGES, Language
from scalestudy.records.report import ReportData, RunRow
from scalestudy.report import numbers

DIGEST = 8
"""Digits of a digest that are printed."""


def run_cells(data: ReportData) -> list[list[str]]:
    """One list per run: its name and eight numbers, or its name, outcome and reason."""
    language = LANGUAGES[data.words.language]
    return [_cells(row, language) for row in data.runs]


def _cells(row: RunRow, language: Language) -> list[str]:
    if row.outcome != "completed":
        return [row.run, row.outcome, row.reason]
    accuracy = None if row.accuracy is None else 100 * row.accuracy
    memory = None if row.peak_memory_bytes is None else row.peak_memory_bytes / 2**20
    load = None if row.foreign_load is None else 100 * row.foreign_load
    return [
        row.run,
        *(numbers.significant(time_s, language) for time_s in (row.epoch_time_s, row.startup_s, row.total_s)),
        numbers.fixed(row.images_per_s, 0, language),
        numbers.fixed(accuracy, 2, language),
        numbers.fixed(memory, 0, language),
        numbers.fixed(load, 1, language),
        row.weights_sha256[:DIGEST],
    ]

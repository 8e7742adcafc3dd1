"""exclusions.csv: every planned run that does not enter some number, and why."""

from collections.abc import Iterator, Sequence

from scalestudy.analysis.cells import CellRuns
from scalestudy.analysis.collect import CollectedRun
from scalestudy.records.findings import Exclusion

EVERY_NUMBER = "every number"


def exclusion_rows(cells: Sequence[CellRuns]) -> list[Exclusion]:
    """One row per run and what it is kept out of, in the order of the plan."""
    return [
        Exclusion(run=run.row.run, excluded_from=kept_out_of, reason=reason)
        for cell in cells
        for run in cell.runs
        for kept_out_of, reason in _reasons(cell, run)
    ]


def _reasons(cell: CellRuns, run: CollectedRun) -> Iterator[tuple[str, str]]:
    row = run.row
    if row.outcome != "completed" or row.excluded:
        yield EVERY_NUMBER, row.excluded or row.reason
        return
    if cell.wrong:
        yield "speedups", cell.wrong
    elif row.oversubscribed:
        yield "speedups", "more devices than cores"
    if row.resumed:
        yield "end-to-end speedup", "resumed after an interruption"
    elif row.total_s is None:
        yield "end-to-end speedup", "no usable wall-clock time"
    if row.accuracy is None:
        yield "accuracy", "the final test accuracy is not a number"
    if row.reason:
        yield "loss curves", row.reason

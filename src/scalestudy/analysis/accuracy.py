"""accuracy.csv: final test accuracy of every cell against its base, by two one-sided tests."""

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Literal

from scalestudy.analysis.cells import CellRuns, base_of
from scalestudy.analysis.statistics import Estimate, is_equivalent, mean_difference
from scalestudy.records.report import AccuracyRow

Verdict = Literal["baseline", "equivalent", "not shown", "not computed"]


def accuracy_rows(cells: Sequence[CellRuns], margin: float) -> list[AccuracyRow]:
    """One row per cell, in the order of the plan. ``margin`` is a fraction of the test images."""
    return [_row(cell, base_of(cell.cell, cells), margin) for cell in cells]


def _row(cell: CellRuns, base: CellRuns | None, margin: float) -> AccuracyRow:
    accuracies = cell.accuracies
    difference = _difference(cell, base)
    return AccuracyRow(
        **cell.key._asdict(),
        n=len(accuracies),
        accuracy=fmean(accuracies) if accuracies else None,
        accuracy_sd=stdev(accuracies) if len(accuracies) > 1 else None,
        difference=difference.value if difference else None,
        difference_low=difference.low if difference else None,
        difference_high=difference.high if difference else None,
        verdict="baseline" if cell is base else _verdict(difference, margin),
    )


def _difference(cell: CellRuns, base: CellRuns | None) -> Estimate | None:
    if base is None or base is cell or not base.accuracies or not cell.accuracies:
        return None
    return mean_difference(cell.accuracies, base.accuracies)


def _verdict(difference: Estimate | None, margin: float) -> Verdict:
    if difference is None or difference.low is None:
        return "not computed"
    return "equivalent" if is_equivalent(difference, margin) else "not shown"

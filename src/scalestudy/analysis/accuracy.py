"""accuracy.csv and equivalence.csv: final test accuracy of every cell against its base, by two one-sided tests."""

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Literal

from scalestudy.analysis.cells import CellRuns, bases_in
from scalestudy.analysis.statistics import Estimate, equivalence_p_value, is_equivalent, mean_difference
from scalestudy.records.findings import EquivalenceRow
from scalestudy.records.report import AccuracyRow

Verdict = Literal["equivalent", "not shown", "not computed"]


def accuracy_rows(cells: Sequence[CellRuns], margin: float) -> list[AccuracyRow]:
    """One row per cell, in the order of the plan. ``margin`` is a fraction of the test images."""
    base_of = bases_in(cells)
    return [_row(cell, base_of(cell.cell), margin) for cell in cells]


def equivalence_rows(cells: Sequence[CellRuns], margin: float) -> list[EquivalenceRow]:
    """One row per parallel cell that has a base, with the test behind the verdict of ``accuracy_rows``."""
    base_of = bases_in(cells)
    pairs = [(cell, base_of(cell.cell)) for cell in cells]
    return [_equivalence(cell, base, margin) for cell, base in pairs if base is not None and base is not cell]


def _equivalence(cell: CellRuns, base: CellRuns, margin: float) -> EquivalenceRow:
    difference = _difference(cell, base)
    return EquivalenceRow(
        **cell.key._asdict(),
        n=len(cell.accuracies),
        base_n=len(base.accuracies),
        margin=margin,
        difference=difference.value if difference else None,
        low=difference.low if difference else None,
        high=difference.high if difference else None,
        p_value=equivalence_p_value(cell.accuracies, base.accuracies, margin) if difference else None,
        method=difference.method if difference else "",
        verdict=_verdict(difference, margin),
    )


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

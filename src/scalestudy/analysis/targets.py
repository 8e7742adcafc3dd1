"""target.csv and epochs_to_target.csv: how long training takes to a test accuracy, in time and in epochs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

from scalestudy.analysis.cells import CellRuns, bases_in
from scalestudy.analysis.statistics import (
    OPEN_ABOVE,
    SMALLEST_N_FOR_ORDER_STATISTICS,
    Estimate,
    ratio,
    summarize,
)
from scalestudy.records.findings import BatchRow, TargetRow
from scalestudy.records.result import Result
from scalestudy.spec.run import Study

ROUNDING = 1e-9
"""A target that is a mean less a margin carries rounding; accuracies of so many images lie further apart."""


@dataclass(frozen=True)
class _Reached:
    """When one run first had the target accuracy; infinite when it never did."""

    epochs: float
    time_s: float


def target_rows(cells: Sequence[CellRuns], study: Study) -> list[TargetRow]:
    """One row per cell whose time may stand in a ratio and that has a target, in the order of the plan."""
    rows, base_of = [], bases_in(cells)
    for cell in cells:
        base = base_of(cell.cell)
        target = _target(base, study)
        if target is not None and cell.is_comparable:
            rows.append(_row(cell, base, target))
    return rows


def batch_rows(cells: Sequence[CellRuns], study: Study) -> list[BatchRow]:
    """One row per workload and global batch on the whole data set (no weak scaling, where the images grow).

    Cells that fail the parity check, or compress their gradients, do other mathematics and are left out.

    Cells of one global batch do the same mathematics: the runs of one seed are one value, their median.
    """
    groups: dict[tuple[str, int, float], dict[int, list[float]]] = {}
    base_of = bases_in(cells)
    for cell in cells:
        target = _target(base_of(cell.cell), study)
        if target is None or cell.wrong or cell.is_compressed or cell.cell.scaling == "weak":
            continue
        for run in cell.usable:
            seeds = groups.setdefault((cell.cell.workload, run.run.global_batch, target), {})
            if run.result is not None:
                seeds.setdefault(run.run.seed, []).append(_reached(run.result, target).epochs)
    rows = []
    for (workload, batch, target), seeds in sorted(groups.items()):
        values = [float(median(epochs)) for epochs in seeds.values()]
        found = _epochs(values)
        rows.append(
            BatchRow(
                workload=workload,
                global_batch=batch,
                target=target,
                n=len(values),
                reached=sum(map(math.isfinite, values)),
                epochs=_finite(found.value),
                epochs_low=found.low,
                epochs_high=found.high,
                method=found.method,
            )
        )
    return rows


def _target(base: CellRuns | None, study: Study) -> float | None:
    """As the study sets it, or what the serial base reaches on average, less the margin."""
    if study.accuracy_target is not None:
        return study.accuracy_target
    return fmean(base.accuracies) - study.accuracy_margin if base and base.accuracies else None


def _row(cell: CellRuns, base: CellRuns | None, target: float) -> TargetRow:
    own = [_reached(result, target) for result in cell.results]
    epochs, time = _epochs([one.epochs for one in own]), times_to_target([one.time_s for one in own])
    speedup = _speedup(cell, base, target, [one.time_s for one in own])
    return TargetRow(
        **cell.key._asdict(),
        global_batch=cell.runs[0].run.global_batch,
        target=target,
        n=len(own),
        reached=sum(math.isfinite(one.epochs) for one in own),
        epochs=_finite(epochs.value),
        epochs_low=epochs.low,
        epochs_high=epochs.high,
        time_s=_finite(time.value),
        time_low_s=time.low,
        time_high_s=time.high,
        speedup=speedup.value if speedup else None,
        speedup_low=speedup.low if speedup else None,
        speedup_high=speedup.high if speedup else None,
        method=time.method,
        speedup_method=speedup.method if speedup else "",
    )


def _speedup(cell: CellRuns, base: CellRuns | None, target: float, after: list[float]) -> Estimate | None:
    """Base's time to the target over the cell's, where all runs of both reached it and both are comparable."""
    if base is None or base is cell or not (cell.is_comparable and base.is_comparable):
        return None
    before = [_reached(result, target).time_s for result in base.results]
    return ratio(before, after) if all(map(math.isfinite, before + after)) else None


def _reached(result: Result, target: float) -> _Reached:
    """Whole epochs and training seconds, untimed epochs included and evaluation not."""
    time_s = 0.0
    for number, epoch in enumerate(result.epochs, start=1):
        time_s += epoch.time_s
        if epoch.test_accuracy >= target - ROUNDING:
            return _Reached(number, time_s)
    return _Reached(math.inf, math.inf)


def times_to_target(values: Sequence[float]) -> Estimate:
    """The median, which runs that never reached the target leave finite as long as they are less than half.

    Their infinite values have a rank and no logarithm, so that only order statistics give an interval then, perhaps one
    that is open above.
    """
    if all(map(math.isfinite, values)):
        return summarize(values)
    return _epochs(values)


def _epochs(values: Sequence[float]) -> Estimate:
    """The median with order statistics alone: a number of epochs is no sample of a continuous distribution.

    Runs that never reached the target are later than all others: the interval is open above where its upper end is one
    of them, and there is none where its lower end is, too.
    """
    if len(values) < SMALLEST_N_FOR_ORDER_STATISTICS:
        return Estimate(float(median(values)))
    found = summarize(values)
    if found.low == math.inf:
        return Estimate(found.value)
    return replace(found, high=None, method=OPEN_ABOVE) if found.high == math.inf else found


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

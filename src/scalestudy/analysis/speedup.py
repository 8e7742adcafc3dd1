"""speedup.csv: time, speedup and efficiency of every cell against its base."""

from collections.abc import Sequence
from statistics import fmean, median

from scalestudy.analysis.cells import CellRuns, bases_in
from scalestudy.analysis.statistics import SMALLEST_N, Estimate, ratio, summarize, summarize_mean
from scalestudy.records.report import SpeedupRow

OVERSUBSCRIBED = "more devices than cores: correctness only"

NO_BASE = (NOT_PLANNED, NOT_COMPLETED, NOT_COMPARABLE) = (
    "no base: no serial cell is planned",
    "no base: no serial run completed",
    "no base: the serial cell is not comparable",
)
"""Why a cell that lacks nothing else has no speedup."""


def speedup_rows(cells: Sequence[CellRuns]) -> list[SpeedupRow]:
    """One row per cell, in the order of the plan; the fastest of each workload and scaling is marked."""
    base_of = bases_in(cells)
    rows = [_row(cell, base_of(cell.cell)) for cell in cells]
    best: dict[tuple[str, str], float] = {}
    for row in rows:
        if row.speedup is not None and row.images_per_s is not None:
            group = (row.workload, row.scaling)
            best[group] = max(best.get(group, 0.0), row.images_per_s)
    return [
        row.model_copy(update={"fastest": True})
        if row.speedup is not None and row.images_per_s == best.get((row.workload, row.scaling))
        else row
        for row in rows
    ]


def _row(cell: CellRuns, base: CellRuns | None) -> SpeedupRow:
    devices = cell.cell.devices
    time = summarize(cell.times_s) if cell.results else None
    mean = summarize_mean(cell.times_s) if cell.results else None
    obstacle = _obstacle(cell, base)
    speedup = None if obstacle or base is None else _speedup(cell, base)
    efficiency = speedup.scaled(1 / devices) if speedup else None
    end_to_end = None if obstacle or base is None else _end_to_end(cell, base)
    return SpeedupRow(
        **cell.key._asdict(),
        n=len(cell.results),
        time_s=time.value if time else None,
        time_low_s=time.low if time else None,
        time_high_s=time.high if time else None,
        speedup=speedup.value if speedup else None,
        speedup_low=speedup.low if speedup else None,
        speedup_high=speedup.high if speedup else None,
        efficiency=efficiency.value if efficiency else None,
        efficiency_low=efficiency.low if efficiency else None,
        efficiency_high=efficiency.high if efficiency else None,
        images_per_s=cell.images / time.value if time else None,
        accuracy=fmean(cell.accuracies) if cell.accuracies else None,
        base_time_s=float(median(base.times_s)) if base and base.results else None,
        end_to_end_speedup=end_to_end.value if end_to_end else None,
        end_to_end_low=end_to_end.low if end_to_end else None,
        end_to_end_high=end_to_end.high if end_to_end else None,
        device_time_s=time.value * devices if time else None,
        total_s=float(median(cell.totals_s)) if cell.totals_s else None,
        time_method=time.method if time else "",
        speedup_method=speedup.method if speedup else "",
        end_to_end_method=end_to_end.method if end_to_end else "",
        mean_s=mean.value if mean else None,
        mean_low_s=None if mean is None or mean.low is None else max(0.0, mean.low),  # no time lies below zero
        mean_high_s=mean.high if mean else None,
        mean_method=mean.method if mean else "",
        note=obstacle or _remark(cell, base, speedup),
    )


def _speedup(cell: CellRuns, base: CellRuns) -> Estimate:
    """Base time over time; under weak scaling, where the work grows with the devices, times their number."""
    if base is cell:
        return Estimate(1.0)
    return ratio(base.times_s, cell.times_s).scaled(_scale(cell))


def _end_to_end(cell: CellRuns, base: CellRuns) -> Estimate | None:
    if not cell.totals_s or not base.totals_s:
        return None
    if base is cell:
        return Estimate(1.0)
    return ratio(base.totals_s, cell.totals_s).scaled(_scale(cell))


def _scale(cell: CellRuns) -> int:
    return cell.cell.devices if cell.cell.scaling == "weak" else 1


def _obstacle(cell: CellRuns, base: CellRuns | None) -> str:
    """Why the cell has no speedup, or nothing."""
    reasons = {
        "no completed run": not cell.results,
        cell.wrong: bool(cell.wrong),
        OVERSUBSCRIBED: cell.oversubscribed,
        NOT_PLANNED: base is None,
        NOT_COMPLETED: base is not None and not base.results,
        NOT_COMPARABLE: base is not None and not base.is_comparable,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _remark(cell: CellRuns, base: CellRuns | None, speedup: Estimate | None) -> str:
    """What a reader should know of a speedup that exists."""
    if base is cell:
        if len(cell.containers) < 2:
            return "base"
        return f"{len(cell.containers)} container images: its own runs, the base's, were not all in the same one"
    if speedup is None or base is None:
        return ""
    if len(found := cell.containers | base.containers) > 1:
        return f"{len(found)} container images: its runs and the base's were not all in the same one"
    if speedup.low is not None:
        return ""
    fewer = "the base" if len(base.results) < SMALLEST_N <= len(cell.results) else "the cell"
    return f"no interval: {fewer} has fewer than {SMALLEST_N} completed runs"

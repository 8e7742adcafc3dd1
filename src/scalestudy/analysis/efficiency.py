"""efficiency.csv: into which factors the efficiency of each cell falls, and whether they give what was measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import geometric_mean

import numpy as np

from scalestudy.analysis.cells import CellKey, CellRuns, bases_in, key_of
from scalestudy.analysis.device_columns import DeviceColumns
from scalestudy.analysis.pop import DeviceTime, Factors, computation_scalability, factors_of_sums
from scalestudy.analysis.reading import images_per_epoch, timed_epochs
from scalestudy.records.report import EfficiencyRow, SpeedupRow
from scalestudy.records.result import Result

NO_RUN = "no completed run"
NO_PHASES = "phases were not measured"
NO_DATA = "waiting for data was not measured"
NOT_APART = "communication was not told apart from computing"
NO_BASE = "no base whose phases were measured"
NO_PARALLEL_TIME = "a device did nothing"


@dataclass(frozen=True)
class MeasuredRun:
    """The factors of one run, and its images over the timed epochs."""

    factors: Factors
    computing_s: float
    """Of all devices together."""
    images: int


Measured = tuple[list[MeasuredRun], str]
"""The one or two runs in the middle of a cell's times, where all have what factors need, or none and the reason."""


def efficiency_rows(cells: Sequence[CellRuns], speedup: Sequence[SpeedupRow]) -> list[EfficiencyRow]:
    """One row per cell, in the order of the plan, its factors those of the runs that its median epoch time is of."""
    rows: Mapping[CellKey, SpeedupRow] = {key_of(row): row for row in speedup}
    base_of = bases_in(cells)
    measured = {cell.key: _measured(cell) for cell in cells}
    return [_row(cell, base_of(cell.cell), rows[cell.key], measured) for cell in cells]


def _row(
    cell: CellRuns, base: CellRuns | None, speedup: SpeedupRow, measured_of: Mapping[CellKey, Measured]
) -> EfficiencyRow:
    runs, reason = measured_of[cell.key]
    if speedup.speedup is None:
        runs, reason = [], speedup.note
    base_runs = runs if base is cell else measured_of[base.key][0] if base else []
    parallel = _mean(runs, lambda run: run.factors.parallel)
    base_parallel = _mean(base_runs, lambda run: run.factors.parallel)
    scalability = None if not base_runs else _mean(runs, lambda run: _scalability(run, base_runs))
    whole = None if parallel is None or scalability is None else parallel * scalability
    measured = speedup.efficiency
    expected = None if whole is None or not base_parallel else whole / base_parallel
    return EfficiencyRow(
        **cell.key._asdict(),
        n=len(cell.results) if runs else 0,
        global_efficiency=whole,
        parallel=parallel,
        data_feeding=_mean(runs, lambda run: run.factors.data_feeding),
        load_balance=_mean(runs, lambda run: run.factors.load_balance),
        communication=_mean(runs, lambda run: run.factors.communication),
        serialization=_mean(runs, lambda run: run.factors.serialization),
        transfer=_mean(runs, lambda run: run.factors.transfer),
        computation_scalability=scalability,
        measured=measured,
        base_global=base_parallel,
        residual=None if expected is None or measured is None else measured / expected - 1,
        ceiling=None if speedup.ceiling_speedup is None else speedup.ceiling_speedup / cell.cell.devices,
        reason=reason or (_without_base(base) if scalability is None else ""),
    )


def _without_base(base: CellRuns | None) -> str:
    """Why there is no computation scalability."""
    return NO_BASE if base is None or not base.results else _because(NO_BASE, base.results[0])


def _mean(runs: Sequence[MeasuredRun], factor: Callable[[MeasuredRun], float]) -> float | None:
    """Geometric over two middle runs, so that products stay exact."""
    return geometric_mean([factor(run) for run in runs]) if runs else None


def _scalability(run: MeasuredRun, base: Sequence[MeasuredRun]) -> float:
    """Against the middle runs of the base."""
    return geometric_mean(
        [computation_scalability(other.computing_s, run.computing_s, run.images / other.images) for other in base]
    )


def _measured(cell: CellRuns) -> Measured:
    if not cell.results:
        return [], NO_RUN
    runs = []
    for result in cell.results:
        phases = DeviceColumns.of(result.phases)
        if not len(phases) or phases.totals["forward"] is None:
            return [], _because(NO_PHASES, result)
        if phases.totals["data"] is None:
            return [], NO_DATA
        if len(phases) > 1 and phases.totals["communication"] is None:
            return [], _because(NOT_APART, result)
        run = _of(result, phases)
        if run is None:
            return [], NO_PARALLEL_TIME
        runs.append(run)
    return middle_runs(runs, cell.times_s), ""


def middle_runs(runs: Sequence[MeasuredRun], times_s: Sequence[float]) -> list[MeasuredRun]:
    """The run with the median of these times, or the two around it: the speedup is made of them."""
    ordered = sorted(range(len(runs)), key=lambda place: times_s[place])
    return [runs[place] for place in ordered[(len(runs) - 1) // 2 : len(runs) // 2 + 1]]


def _because(what: str, result: Result) -> str:
    """What is lacking, with the reason that the run recorded."""
    return f"{what}: {result.phases_reason}" if result.phases_reason else what


def _of(result: Result, phases: DeviceColumns) -> MeasuredRun | None:
    """The factors of a run; None where a device did not compute.

    ``other`` is the loop itself: it is the device's own doing, and waits for nobody.
    """
    computing = phases.measured("forward", "backward", "optimizer", "other")
    feeding, waiting = phases.measured("data", "host_to_device"), phases.measured("waiting")
    if computing.min() <= 0:
        return None
    most = int(np.lexsort((-waiting, computing + feeding))[-1])
    busiest = DeviceTime(float(computing[most]), float(feeding[most]), float(waiting[most]))
    computing_s, runtime_s = float(computing.sum()), float(phases.column("time_s").max())
    return MeasuredRun(
        factors=factors_of_sums(computing_s, float(feeding.sum()), len(phases), busiest, runtime_s),
        computing_s=computing_s,
        images=images_per_epoch(result) * len(timed_epochs(result)),
    )

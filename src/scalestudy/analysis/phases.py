"""phases.csv: where the device time of an epoch goes."""

from collections.abc import Sequence
from operator import attrgetter
from statistics import fmean

from scalestudy.analysis.cells import CellRuns, base_of
from scalestudy.analysis.collect import timed_epochs
from scalestudy.records.report import PhaseRow
from scalestudy.records.result import PHASES, Result

SUM_TOLERANCE = 0.01
"""The phases add up to the step time within this share of it."""


def phase_rows(cells: Sequence[CellRuns]) -> list[PhaseRow]:
    """One row per cell with phases in any of its completed runs, in the order of the plan."""
    totals = {cell.key: _total_s(cell) for cell in cells}
    rows = []
    for cell in cells:
        total_s = totals[cell.key]
        if total_s is None:
            continue
        base = base_of(cell.cell, cells)
        base_total_s = totals[base.key] if base else None
        price = None
        if base and base_total_s and cell.is_comparable and base.is_comparable:
            price = (total_s / cell.images) / (base_total_s / base.images)
        rows.append(
            PhaseRow.model_validate(
                {
                    **cell.key._asdict(),
                    "n": len(_measured(cell)),
                    "total_s": total_s,
                    **{f"{phase}_s": _phase_s(cell, phase) for phase in PHASES},
                    "price": price,
                }
            )
        )
    return rows


def phase_problems(cells: Sequence[CellRuns]) -> list[str]:
    """One line for each run whose phases do not add up to the step time within 1 %."""
    problems = []
    phases_of = attrgetter(*PHASES)
    for cell in cells:
        for run in cell.runs:
            for device in run.result.phases if run.result else []:
                parts = [part for part in phases_of(device) if part is not None]
                if parts and abs(sum(parts) - device.time_s) > SUM_TOLERANCE * device.time_s:
                    problems.append(
                        f"runs/{run.run.id}/result.json: phases of device {device.device} add up to "
                        f"{sum(parts):.4g} s, step time is {device.time_s:.4g} s"
                    )
                    break
    return problems


def _measured(cell: CellRuns) -> list[Result]:
    return [result for result in cell.results if result.phases]


def _total_s(cell: CellRuns) -> float | None:
    """Step time of all devices per epoch, mean over the runs; None when no run has phases."""
    results = _measured(cell)
    return fmean(_per_epoch(result, "time_s") or 0.0 for result in results) if results else None


def _phase_s(cell: CellRuns, phase: str) -> float | None:
    """Device-seconds of a phase per epoch, mean over the runs; None unless all devices of all runs measured it."""
    sums = [_per_epoch(result, phase) for result in _measured(cell)]
    known = [value for value in sums if value is not None]
    return fmean(known) if known and len(known) == len(sums) else None


def _per_epoch(result: Result, field: str) -> float | None:
    parts: list[float | None] = [*map(attrgetter(field), result.phases)]
    known = [part for part in parts if part is not None]
    return sum(known) / len(timed_epochs(result)) if len(known) == len(parts) else None

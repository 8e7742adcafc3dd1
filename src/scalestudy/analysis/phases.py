"""phases.csv: where the device time of an epoch goes."""

from collections.abc import Sequence
from operator import attrgetter
from statistics import fmean

from scalestudy.analysis.cells import CellRuns, bases_in
from scalestudy.analysis.collect import timed_epochs
from scalestudy.analysis.device_columns import DeviceColumns
from scalestudy.analysis.statistics import Estimate, ratio
from scalestudy.records.report import PhaseRow
from scalestudy.records.result import PHASES, Result

SUM_TOLERANCE = 0.01
"""The phases add up to the step time within this share of it."""


def phase_rows(cells: Sequence[CellRuns]) -> list[PhaseRow]:
    """One row per cell with phases in any of its completed runs, in the order of the plan."""
    rows, base_of = [], bases_in(cells)
    for cell in cells:
        totals = _totals_s(cell)
        if not totals:
            continue
        price = _price(cell, base_of(cell.cell))
        rows.append(
            PhaseRow.model_validate(
                {
                    **cell.key._asdict(),
                    "n": len(_measured(cell)),
                    "total_s": fmean(totals),
                    **{f"{phase}_s": _phase_s(cell, phase) for phase in PHASES},
                    "price": price.value if price else None,
                    "price_low": price.low if price else None,
                    "price_high": price.high if price else None,
                    "price_method": price.method if price else "",
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
            if run.result is None or DeviceColumns.of(run.result.phases).adds_up(SUM_TOLERANCE):
                continue
            for device in run.result.phases:
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


def _totals_s(cell: CellRuns) -> list[float]:
    """Step time of all devices per epoch, of each run with phases."""
    return [_per_epoch(result, "time_s") or 0.0 for result in _measured(cell)]


def _price(cell: CellRuns, base: CellRuns | None) -> Estimate | None:
    """Device time of an image over the base's."""
    if base is None or not (cell.is_comparable and base.is_comparable):
        return None
    if base is cell:
        return Estimate(1.0)
    own, others = ([total for total in _totals_s(one) if total > 0] for one in (cell, base))
    return ratio(own, others).scaled(base.images / cell.images) if own and others else None


def _phase_s(cell: CellRuns, phase: str) -> float | None:
    """Device-seconds of a phase per epoch, mean over the runs; None unless all devices of all runs measured it."""
    sums = [_per_epoch(result, phase) for result in _measured(cell)]
    known = [value for value in sums if value is not None]
    return fmean(known) if known and len(known) == len(sums) else None


def _per_epoch(result: Result, field: str) -> float | None:
    total = DeviceColumns.of(result.phases).totals[field]
    return None if total is None else total / len(timed_epochs(result))

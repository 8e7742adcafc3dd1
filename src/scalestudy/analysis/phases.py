"""phases.csv: where the device time of an epoch goes."""

from collections.abc import Mapping, Sequence
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
Seconds = Mapping[str, float | None]
"""By column of DevicePhases."""


def phase_rows(cells: Sequence[CellRuns]) -> list[PhaseRow]:
    """One row per cell with phases in any of its completed runs, in the order of the plan."""
    rows, base_of = [], bases_in(cells)
    epochs_of = {cell.key: _epochs(cell) for cell in cells}
    for cell in cells:
        epochs = epochs_of[cell.key]
        if not epochs:
            continue
        base = base_of(cell.cell)
        price = _price(cell, base, epochs, epochs_of[base.key] if base else [])
        rows.append(
            PhaseRow.model_validate(
                {
                    **cell.key._asdict(),
                    "n": len(epochs),
                    "total_s": fmean(_totals_s(epochs)),
                    **{f"{phase}_s": _mean([epoch[phase] for epoch in epochs]) for phase in PHASES},
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


def _epochs(cell: CellRuns) -> list[Seconds]:
    """An epoch of each run with phases."""
    return [_epoch(result) for result in cell.results if result.phases]


def _epoch(result: Result) -> Seconds:
    """Device-seconds of an epoch, for the steps and each phase; None unless all devices measured it."""
    totals, epochs = DeviceColumns.of(result.phases).totals, len(timed_epochs(result))
    return {name: None if total is None else total / epochs for name, total in totals.items()}


def _totals_s(epochs: Sequence[Seconds]) -> list[float]:
    """Step time of all devices."""
    return [epoch["time_s"] or 0.0 for epoch in epochs]


def _mean(values: Sequence[float | None]) -> float | None:
    """Over the runs; None unless all of them measured it."""
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _price(
    cell: CellRuns, base: CellRuns | None, epochs: Sequence[Seconds], base_epochs: Sequence[Seconds]
) -> Estimate | None:
    """Device time of an image over the base's."""
    if base is None or not (cell.is_comparable and base.is_comparable):
        return None
    if base is cell:
        return Estimate(1.0)
    own, others = ([total for total in _totals_s(one) if total > 0] for one in (epochs, base_epochs))
    return ratio(own, others).scaled(base.images / cell.images) if own and others else None

"""phases.csv: where the device time of an epoch goes."""

from collections.abc import Mapping, Sequence
from statistics import fmean, median

from scalestudy.analysis.cells import CellRuns, bases_in
from scalestudy.analysis.collect import timed_epochs
from scalestudy.analysis.device_columns import DeviceColumns
from scalestudy.analysis.statistics import Estimate, ratio
from scalestudy.records.report import PhaseRow
from scalestudy.records.result import PHASES, Result

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
        price, device_time_s = _price(cell, base), median(cell.times_s) * cell.cell.devices
        rows.append(
            PhaseRow.model_validate(
                {
                    **cell.key._asdict(),
                    "n": len(epochs),
                    "total_s": device_time_s,
                    **{f"{phase}_s": _part(phase, epochs, device_time_s) for phase in PHASES},
                    "price": price.value if price else None,
                    "price_low": price.low if price else None,
                    "price_high": price.high if price else None,
                    "price_method": price.method if price else "",
                }
            )
        )
    return rows


def _epochs(cell: CellRuns) -> list[Seconds]:
    """An epoch of each run with phases."""
    return [_epoch(result) for result in cell.results if result.phases]


def _epoch(result: Result) -> Seconds:
    """Device-seconds of an epoch, for the steps and each phase; None unless all devices measured it."""
    totals, epochs = DeviceColumns.of(result.phases).totals, len(timed_epochs(result))
    return {name: None if total is None else total / epochs for name, total in totals.items()}


def _part(phase: str, epochs: Sequence[Seconds], device_time_s: float) -> float | None:
    """What the phase has of the device time, by its share of the steps of all runs; None unless all measured it."""
    known = [value for epoch in epochs if (value := epoch[phase]) is not None]
    steps_s = fmean(epoch["time_s"] or 0.0 for epoch in epochs)
    if len(known) < len(epochs):
        return None
    return device_time_s * fmean(known) / steps_s if steps_s else 0.0


def _price(cell: CellRuns, base: CellRuns | None) -> Estimate | None:
    """Device time of an image over the base's: of the times that the speedup is made of, so it is devices over it."""
    if base is None or not (cell.is_comparable and base.is_comparable):
        return None
    if base is cell:
        return Estimate(1.0)
    return ratio(cell.times_s, base.times_s).scaled(cell.cell.devices * base.images / cell.images)

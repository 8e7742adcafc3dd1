"""The bars of the breakdown figure: one for every cell, with its phases or why it has none."""

from typing import NamedTuple

from scalestudy.analysis.cells import key_of
from scalestudy.analysis.language import Language
from scalestudy.analysis.scaling_rows import of_scaling
from scalestudy.records.base import OfCell
from scalestudy.records.report import PhaseRow, ReportData
from scalestudy.report import numbers

GAP = 0.45
"""Between the bars of two strategies, in bars."""


class Bar(NamedTuple):
    """A cell of the study and its phases; None where there are none, since no run completed or none timed them."""

    cell: OfCell
    phases: PhaseRow | None
    completed: int
    """Runs."""

    @property
    def total_s(self) -> float:
        """Length of the bar: under weak scaling, where the work grows with the devices, divided by them."""
        return self.shown(self.phases.total_s) if self.phases else 0.0

    def shown(self, seconds: float | None) -> float:
        """Device-seconds as the axis has them; not measured is nothing."""
        return (seconds or 0.0) / (self.cell.devices if self.cell.scaling == "weak" else 1)

    def mark(self, language: Language) -> str:
        """What stands at the end of a bar: the price, or why there is no bar."""
        if self.phases is None:
            return language.say("phases were not measured" if self.completed else "no completed run")
        if self.phases.price is None or self.cell.strategy == "serial":
            return ""
        return numbers.factor(self.phases.price, self.phases.price_low, self.phases.price_high, language) + "×"


def bars_of(data: ReportData, scaling: str) -> list[Bar]:
    """The cells of a scaling in the order of the plan, those without a measured phase as well."""
    phases = {key_of(row): row for row in data.phases}
    return [Bar(row, phases.get(key_of(row)), row.n) for row in of_scaling(data.speedup, scaling)]


def places_of(bars: list[Bar]) -> list[float]:
    """Vertical places of the bars, with a gap between strategies."""
    places, place = [], 0.0
    for index, bar in enumerate(bars):
        if index:
            place += 1 if bar.cell.strategy == bars[index - 1].cell.strategy else 1 + GAP
        places.append(place)
    return places

"""Axes in rows and columns, at fixed places of a figure that is as wide as the text."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.figure import Figure

from scalestudy.report.figures.style import WIDTH_IN

Shared = Literal["", "row", "all"]
"""With which other panels a panel has an axis in common."""
NO_TICKS: Any = {f"{label}{side}": False for label in ("", "label") for side in ("left", "right", "top", "bottom")}


class _XAxis(XAxis):
    """Without the ticks that are made to copy others from, which no panel needs: they take a tenth of the drawing."""

    majorTicks = minorTicks = []  # noqa: N815 - matplotlib's names


class _YAxis(YAxis):
    """Likewise."""

    majorTicks = minorTicks = []  # noqa: N815 - matplotlib's names


class _Panel(Axes):
    """Axes without ticks, which ``draw_ticks`` draws in less than half of the time."""

    def _init_axis(self) -> None:
        self.xaxis, self.yaxis = _XAxis(self, clear=False), _YAxis(self, clear=False)
        for side, axis in (("bottom", self.xaxis), ("top", self.xaxis), ("left", self.yaxis), ("right", self.yaxis)):
            self.spines[side].register_axis(axis)


@dataclass(frozen=True)
class Frame:
    """Room around and between the panels, in inches. Fixed, so that panels of one kind line up on every page."""

    left: float
    right: float
    top: float
    bottom: float
    across: float
    """Between columns."""
    down: float
    """Between rows."""


def panels(
    count: int, columns: int, height_in: float, frame: Frame, *, sharex: Shared = "", sharey: Shared = ""
) -> tuple[Figure, list[Axes]]:
    """A figure with so many axes in rows, without ticks (see ``draw_ticks``); ``height_in`` is that of one axes."""
    rows = -(-count // columns)
    height = frame.top + rows * height_in + (rows - 1) * frame.down + frame.bottom
    width = (WIDTH_IN - frame.left - frame.right - (columns - 1) * frame.across) / columns
    figure = Figure(figsize=(WIDTH_IN, height), dpi=72)  # as in an SVG, so that texts are measured as they are drawn
    grid = figure.add_gridspec(
        rows,
        columns,
        left=frame.left / WIDTH_IN,
        right=1 - frame.right / WIDTH_IN,
        top=1 - frame.top / height,
        bottom=frame.bottom / height,
        wspace=frame.across / width,
        hspace=frame.down / height_in,
    )
    axes: list[Axes] = []
    for index in range(count):
        row, column = divmod(index, columns)
        first = {"": None, "row": axes[row * columns] if column else None, "all": axes[0] if axes else None}
        shared = {"sharex": first[sharex], "sharey": first[sharey]}
        axes.append(figure.add_subplot(grid[row, column], axes_class=_Panel, **shared))
        axes[-1].tick_params(**NO_TICKS)
    return figure, axes


def label_room(labels: Iterable[str]) -> float:
    """Inches that the longest of the labels takes at the common size, with a little air."""
    return 0.14 + 0.052 * max(len(label) for label in labels)

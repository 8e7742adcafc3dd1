"""Ticks, their numbers and grid lines. Matplotlib makes five objects of every tick, which took half of the drawing;
here those of an axis are two lines and the texts of its numbers, which look the same."""

import io
import math
from collections.abc import Iterable
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.lines import Line2D
from matplotlib.markers import TICKDOWN, TICKLEFT, MarkerStyle
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from scalestudy.report.figures.style import GRAY

GRID = "#e6e8eb"
LENGTH, WIDTH, PAD = 2.5, 0.5, 3.5
"""Of a tick, and between it and its number, in points."""
BELOW = 0.5
"""Where matplotlib draws an axis: above the background, below the data."""
Names = Literal["x", "y", "xy", ""]


def draw_ticks(axes: Iterable[Axes], *, numbers: Names = "xy", marks: Names = "xy", grid: Names = "xy") -> None:
    """Draw what the locators and formatters of these axes say, on the axis or axes named; all limits must be final.

    An axis's own name is moved below or beside the numbers.
    """
    renderer = RendererSVG(1, 1, io.StringIO())  # type: ignore[no-untyped-call]
    for ax in axes:
        for name, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
            places = _places(axis)
            if name in grid:
                _grid(ax, name, places)
            if name in marks:
                _marks(ax, name, places)
            texts = _numbers(ax, name, places, LENGTH + PAD if name in marks else PAD) if name in numbers else []
            axis.get_offset_text().set_visible(name in numbers)
            if axis.get_label_text():
                _move_name(ax, name, [text.get_window_extent(renderer) for text in texts])


def _places(axis: Axis) -> dict[float, str]:
    """The ticks in sight with their numbers."""
    locations = axis.get_majorticklocs().tolist()
    texts = axis.get_major_formatter().format_ticks(locations)
    ends = axis.get_transform().transform(axis.get_view_interval())
    air = 1e-10 * abs(ends[1] - ends[0])  # matplotlib's own, for a tick at the very end
    at = axis.get_transform().transform(locations)
    return {
        location: text
        for location, place, text in zip(locations, at, texts, strict=True)
        if min(ends) - air <= place <= max(ends) + air
    }


def _grid(ax: Axes, name: str, places: Iterable[float]) -> None:
    """All grid lines as one line with gaps."""
    along = [value for place in places for value in (place, place, math.nan)]
    across = [value for _ in places for value in (0.0, 1.0, math.nan)]
    transform = ax.get_xaxis_transform("grid") if name == "x" else ax.get_yaxis_transform("grid")
    data = (along, across) if name == "x" else (across, along)
    ax.add_artist(Line2D(*data, color=GRID, linewidth=WIDTH, transform=transform, zorder=BELOW))


def _marks(ax: Axes, name: str, places: Iterable[float]) -> None:
    zeros = [0.0 for _ in places]
    transform = ax.get_xaxis_transform("tick1") if name == "x" else ax.get_yaxis_transform("tick1")
    data = (list(places), zeros) if name == "x" else (zeros, list(places))
    mark = MarkerStyle(TICKDOWN if name == "x" else TICKLEFT)
    line = Line2D(*data, linestyle="none", marker=mark, markersize=LENGTH, color=GRAY, markeredgewidth=WIDTH)
    line.set(transform=transform, zorder=BELOW, clip_on=False)
    ax.add_artist(line)


def _numbers(ax: Axes, name: str, places: dict[float, str], pad: float) -> list[Text]:
    transform, vertical, horizontal = (
        ax.get_xaxis_text1_transform(pad) if name == "x" else ax.get_yaxis_text1_transform(pad)
    )
    look: dict[str, Any] = {"transform": transform, "va": vertical, "ha": horizontal, "color": GRAY, "zorder": BELOW}
    spots = ((place, 0) if name == "x" else (0, place) for place in places)
    return [ax.text(x, y, text, **look) for (x, y), text in zip(spots, places.values(), strict=True)]


def _move_name(ax: Axes, name: str, numbers: list[Bbox]) -> None:
    """Matplotlib places the name of an axis beside its own ticks, which are not there."""
    edge = Bbox.union([*numbers, ax.spines["bottom" if name == "x" else "left"].get_window_extent()])
    axis = ax.xaxis if name == "x" else ax.yaxis
    away = axis.labelpad * ax.figure.dpi / 72
    at = (edge.x0 - away, edge.y0 - away)
    x, y = ax.transAxes.inverted().transform(at)
    axis.set_label_coords(*((0.5, y) if name == "x" else (x, 0.5)))

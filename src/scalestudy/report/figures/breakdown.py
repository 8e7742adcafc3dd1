"""Where the device time of an epoch goes: stacked bars in device-seconds, so that ideal scaling is a vertical line."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator

from scalestudy.analysis.language import Language
from scalestudy.records.report import PhaseRow, ReportData, WorkloadFacts
from scalestudy.report import numbers
from scalestudy.report.drawing import Drawing
from scalestudy.report.figures.panels import Frame, label_room, panels
from scalestudy.report.figures.style import (
    GRAY,
    WIDTH_IN,
    cell_label,
    language_of,
    of_scaling,
    shorten,
    styled,
    to_svg,
    workload_label,
)
from scalestudy.report.figures.ticks import draw_ticks


class Phase(NamedTuple):
    """A phase of the step: its field, what the legend calls it, its color."""

    field: str
    title: str
    color: str


PHASES = (
    Phase("forward_s", "forward", "#b8c4d0"),
    Phase("backward_s", "backward", "#93a5b8"),
    Phase("optimizer_s", "optimizer", "#71859b"),
    Phase("other_s", "other", "#e2e5e9"),
    Phase("data_s", "waiting for data", "#e69f00"),
    Phase("host_to_device_s", "copy to device", "#f0e442"),
    Phase("communication_s", "exposed communication", "#0072b2"),
    Phase("waiting_s", "waiting for the slowest", "#cc79a7"),
)
ROW_IN, GAP = 0.155, 0.45
HALF = 0.38
"""Half the height of a bar."""


def draw_breakdown(data: ReportData, scaling: str) -> Drawing | None:
    """The breakdown figure, one panel per workload; None when no phase was timed."""
    rows = of_scaling(data.phases, scaling)
    workloads = [facts for facts in data.workloads if any(row.workload == facts.name for row in rows)]
    used = [phase for phase in PHASES if any(getattr(row, phase.field) for row in rows)]
    if not workloads or not used:
        return None
    with styled():
        members = {facts.name: [row for row in rows if row.workload == facts.name] for facts in workloads}
        slots = max(_places(cells)[-1] + 1 for cells in members.values())
        columns = min(2, len(workloads))
        left = label_room(cell_label(data, row) for row in rows)
        legend = _legend_columns(used, language_of(data))
        top = 0.5 if legend == len(used) else 0.66
        frame = Frame(left=left, right=0.05, top=top, bottom=0.42, across=left + 0.1, down=0.5)
        figure, axes = panels(len(workloads), columns, ROW_IN * (slots + 0.3), frame)
        for ax, facts in zip(axes, workloads, strict=True):
            _panel(ax, data, members[facts.name], used)
            place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
            # From the left of the cells' names: over the bars alone a long title is cut off at the figure's edge.
            ax.annotate(workload_label(data, facts), (0, 1), (-72 * left, 4), size=8, weight=600, **place)
        for ax in axes[-columns:]:
            ax.set_xlabel(_axis_label(data, scaling))
        _legend(figure, used, language_of(data), legend)
        draw_ticks(axes, marks="x", grid="x")
        svg = to_svg(figure)
    return Drawing("breakdown", scaling, "weak" if scaling == "weak" else "fixed", svg, _alt(data, workloads, rows))


def _axis_label(data: ReportData, scaling: str) -> str:
    text = "{device} seconds per epoch and {device}" if scaling == "weak" else "{device} seconds per epoch"
    return language_of(data).say(text, device=shorten(data.device_name, 20))


def _share(row: PhaseRow) -> int:
    """By what the seconds are divided: under weak scaling the work grows with the devices."""
    return row.devices if row.scaling == "weak" else 1


def _places(rows: list[PhaseRow]) -> list[float]:
    """Vertical places of the bars, with a gap between strategies."""
    places, place = [], 0.0
    for index, row in enumerate(rows):
        if index:
            place += 1 if row.strategy == rows[index - 1].strategy else 1 + GAP
        places.append(place)
    return places


def _panel(ax: Axes, data: ReportData, rows: list[PhaseRow], phases: list[Phase]) -> None:
    places, language = _places(rows), language_of(data)
    base = next((row.total_s for row in rows if row.strategy == "serial"), None)
    longest = max(row.total_s / _share(row) for row in rows)
    ends = [0.0] * len(rows)
    for phase in phases:
        widths = [(getattr(row, phase.field) or 0.0) / _share(row) for row in rows]
        ax.add_artist(_bars(ends, widths, places, phase.color))
        ends = [end + width for end, width in zip(ends, widths, strict=True)]
    for row, place, reached in zip(rows, places, ends, strict=True):
        end = max(reached, row.total_s / _share(row))
        if row.price is not None and row.strategy != "serial":
            ax.text(
                end + 0.015 * longest,
                place,
                numbers.fixed(row.price, 2, language) + "×",
                va="center",
                color=GRAY,
                size=6.8,
            )
    if base:
        ax.axvline(base, color="black", linewidth=0.8, linestyle=":")
    ax.yaxis.set_major_locator(FixedLocator(places))
    ax.yaxis.set_major_formatter(FixedFormatter([cell_label(data, row) for row in rows]))
    ax.set_ylim(places[-1] + 0.6, -0.6)
    ax.set_xlim(0, longest * 1.16)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: numbers.short(value, language)))


def _bars(starts: Sequence[float], widths: Sequence[float], places: Sequence[float], color: str) -> PathPatch:
    """One phase of all rows as one shape: an object of its own for every bar took a fifth of the drawing."""
    corners = [
        [(left, at - HALF), (left + width, at - HALF), (left + width, at + HALF), (left, at + HALF)]
        for left, width, at in zip(starts, widths, places, strict=True)
    ]
    bars = Path.make_compound_path_from_polys(np.array(corners))
    return PathPatch(bars, facecolor=color, edgecolor="white", linewidth=0.4)


def _legend_columns(phases: list[Phase], language: Language) -> int:
    """All in a row where the line has room for them, else half of them: a legend is cut off at the figure's edge."""
    letters = sum(len(language.say(phase.title)) for phase in phases)
    return len(phases) if 0.052 * letters + 0.24 * len(phases) <= WIDTH_IN else -(-len(phases) // 2)


def _legend(figure: Figure, phases: list[Phase], language: Language, columns: int) -> None:
    handles = [Patch(color=phase.color, label=language.say(phase.title)) for phase in phases]
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        fontsize=6.8,
        frameon=False,
        handlelength=0.9,
        handleheight=0.9,
        columnspacing=1.1,
        handletextpad=0.5,
        borderpad=0,
        borderaxespad=0,
    )


def _alt(data: ReportData, workloads: list[WorkloadFacts], rows: list[PhaseRow]) -> str:
    language, parts = language_of(data), []
    for facts in workloads:
        cells = [
            language.say(
                "{cell} {total} s, of it communication {communication}",
                cell=cell_label(data, row),
                total=numbers.significant(row.total_s, language),
                communication=language.say("not measured")
                if row.communication_s is None
                else f"{numbers.significant(row.communication_s, language)} s",
            )
            for row in rows
            if row.workload == facts.name
        ]
        parts.append(f"{workload_label(data, facts)}: {'; '.join(cells)}")
    return f"{language.say('Device seconds per epoch by phase.')} {'. '.join(parts)}."

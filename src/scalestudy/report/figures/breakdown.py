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
from scalestudy.records.report import ReportData, WorkloadFacts
from scalestudy.report import numbers
from scalestudy.report.drawing import Drawing
from scalestudy.report.figures.bars import Bar, bars_of, places_of
from scalestudy.report.figures.panels import Frame, label_room, panels
from scalestudy.report.figures.style import (
    GRAY,
    WIDTH_IN,
    cell_label,
    language_of,
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
ROW_IN = 0.155
HALF = 0.38
"""Half the height of a bar."""
PAD, MARK = 0.015, 0.11
"""Room before what stands behind a bar, and of a price there, as shares of the longest bar."""


def draw_breakdown(data: ReportData, scaling: str) -> Drawing | None:
    """The breakdown figure, one panel per workload and one bar per cell; None when no phase was timed."""
    bars = bars_of(data, scaling)
    workloads = [facts for facts in data.workloads if any(bar.cell.workload == facts.name for bar in bars)]
    used = [phase for phase in PHASES if any(getattr(bar.phases, phase.field, None) for bar in bars)]
    if not workloads or not used:
        return None
    with styled():
        members = {facts.name: [bar for bar in bars if bar.cell.workload == facts.name] for facts in workloads}
        slots = max(places_of(cells)[-1] + 1 for cells in members.values())
        columns = min(2, len(workloads))
        left = label_room(cell_label(data, bar.cell) for bar in bars)
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
        timed = [any(bar.phases for bar in members[facts.name]) for facts in workloads]
        draw_ticks([ax for ax, some in zip(axes, timed, strict=True) if some], marks="x", grid="x")
        draw_ticks([ax for ax, some in zip(axes, timed, strict=True) if not some], numbers="y", marks="", grid="")
        svg = to_svg(figure)
    base = any(bar.phases for bar in bars if bar.cell.strategy == "serial")
    return Drawing("breakdown", scaling, "base" if base else "bars", svg, _alt(data, workloads, bars))


def _axis_label(data: ReportData, scaling: str) -> str:
    text = "{device} seconds per epoch and {device}" if scaling == "weak" else "{device} seconds per epoch"
    return language_of(data).say(text, device=shorten(data.device_name, 20))


def _panel(ax: Axes, data: ReportData, bars: list[Bar], phases: list[Phase]) -> None:
    places, language = places_of(bars), language_of(data)
    base = next((bar.total_s for bar in bars if bar.cell.strategy == "serial"), 0.0)
    longest = max(bar.total_s for bar in bars) or 1.0
    ends = [0.0] * len(bars)
    for phase in phases:
        widths = [bar.shown(getattr(bar.phases, phase.field, None)) for bar in bars]
        ax.add_artist(_bars(ends, widths, places, phase.color))
        ends = [end + width for end, width in zip(ends, widths, strict=True)]
    for bar, place, reached in zip(bars, places, ends, strict=True):
        begin = max(reached, bar.total_s) + PAD * longest
        if begin <= base < begin + MARK * longest:
            begin = base + PAD * longest  # not across the line
        ax.text(begin, place, bar.mark(language), va="center", color=GRAY, size=6.8)
    if base:
        ax.axvline(base, color="black", linewidth=0.8, linestyle=":")
    ax.yaxis.set_major_locator(FixedLocator(places))
    ax.yaxis.set_major_formatter(FixedFormatter([cell_label(data, bar.cell) for bar in bars]))
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


def _said(data: ReportData, bar: Bar) -> str:
    """A bar in words."""
    language, name = language_of(data), cell_label(data, bar.cell)
    if bar.phases is None:
        return f"{name}: {bar.mark(language)}"
    spent = bar.phases.communication_s
    return language.say(
        "{cell} {total} s, of it communication {communication}",
        cell=name,
        total=numbers.significant(bar.phases.total_s, language),
        communication=language.say("not measured") if spent is None else f"{numbers.significant(spent, language)} s",
    )


def _alt(data: ReportData, workloads: list[WorkloadFacts], bars: list[Bar]) -> str:
    language, parts = language_of(data), []
    for facts in workloads:
        cells = [_said(data, bar) for bar in bars if bar.cell.workload == facts.name]
        parts.append(f"{workload_label(data, facts)}: {'; '.join(cells)}")
    return f"{language.say('Device seconds per epoch by phase.')} {'. '.join(parts)}."

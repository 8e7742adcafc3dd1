"""The scaling figure with one number of devices: one line per cell."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator

from scalestudy.records.report import ReportData, SpeedupRow, WorkloadFacts
from scalestudy.report import numbers
from scalestudy.report.figures.panels import Frame, label_room, panels
from scalestudy.report.figures.single_runs import Runs, epoch_times, run_speedups
from scalestudy.report.figures.style import (
    GRAY,
    cell_label,
    language_of,
    look,
    shorten,
    workload_label,
)
from scalestudy.report.figures.ticks import draw_ticks

ROW_IN = 0.24
DOTS_BELOW = 0.3
"""Rows that the dots of single runs lie below the bar of their interval, which would cover them."""


def interval_panels(data: ReportData, workloads: list[WorkloadFacts], rows: list[SpeedupRow], scaling: str) -> Figure:
    """One panel per workload, one line per cell."""
    runs, columns, language = epoch_times(data, scaling), min(2, len(workloads)), language_of(data)
    most = max(sum(row.workload == facts.name for row in rows) for facts in workloads)
    left = label_room(cell_label(data, row) for row in rows)
    frame = Frame(left=left, right=0.42, top=0.42, bottom=0.42, across=left + 0.42, down=0.88)
    figure, axes = panels(len(workloads), columns, ROW_IN * (most + 0.3), frame, sharex="all")
    seen: list[float] = []
    for ax, facts in zip(axes, workloads, strict=True):
        seen += _panel(ax, data, [row for row in rows if row.workload == facts.name], runs)
        ax.set_title(workload_label(data, facts), pad=14)
        ax.set_xlabel(language.say("Scaled speedup" if scaling == "weak" else "Speedup"))
    room = 0.06 * (max(seen) - min(seen))
    axes[0].set_xlim(min(seen) - room, max(seen) + room)  # all panels share it
    draw_ticks(axes, marks="x", grid="x")
    return figure


def _panel(ax: Axes, data: ReportData, rows: list[SpeedupRow], runs: Runs) -> list[float]:
    """One line per cell: the speedup with its interval, below it every run as a dot, its number at the right.

    Returns what the axis has to hold.
    """
    language, ideal = language_of(data), float(rows[0].devices)
    seen = [1.0, ideal]
    for place, row in enumerate(rows):
        style, single = look(data, row.strategy), run_speedups(runs, row)
        ends = [value for value in (row.speedup_low, row.speedup_high) if value is not None]
        below = [place + DOTS_BELOW] * len(single)
        ax.plot(single, below, ".", color=style.color, alpha=0.55, markersize=4, markeredgewidth=0)
        ax.plot(ends, [place] * len(ends), color=style.color, linewidth=1.6)
        if row.ceiling_speedup:
            ax.plot([row.ceiling_speedup] * 2, [place - 0.32, place + 0.32], color=GRAY, linewidth=1.0)
            seen.append(row.ceiling_speedup)
        face = style.color if style.filled else "white"
        ax.plot(row.speedup or 0.0, place, style.marker, color=style.color, markerfacecolor=face, markersize=5)
        text = numbers.factor(row.speedup, row.speedup_low, row.speedup_high, language) + "×"
        ax.annotate(text, (1.02, place), xycoords=("axes fraction", "data"), va="center", color=style.color, weight=600)
        seen += [*single, *ends, row.speedup or 1.0]
    one = language.say("one {device}", device=shorten(data.device_name, 14))
    for value, word, side in ((1.0, one, "right"), (ideal, language.say("ideal"), "left")):  # away from each other
        ax.axvline(value, color=GRAY, linewidth=0.8, linestyle=":")
        ax.annotate(word, (value, -0.78), ha=side, va="bottom", color=GRAY, size=6.5, annotation_clip=False)
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))  # these have a tick at 1
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: numbers.short(value, language)))
    ax.yaxis.set_major_locator(FixedLocator(range(len(rows))))
    ax.yaxis.set_major_formatter(FixedFormatter([cell_label(data, row) for row in rows]))
    ax.set_ylim(len(rows) - 0.5, -0.8)
    ax.spines["left"].set_visible(False)
    return seen

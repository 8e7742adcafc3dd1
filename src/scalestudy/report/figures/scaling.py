"""Speedup (strong and epoch scaling) or efficiency (weak scaling) over devices, one panel per workload.

With one number of devices a line through two points says little, so the cells are drawn as intervals instead.
"""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from scalestudy.records.report import ReportData, SpeedupRow, WorkloadFacts
from scalestudy.report import numbers
from scalestudy.report.figures.labels import Path, label_ends
from scalestudy.report.figures.style import (
    GRAY,
    Drawing,
    Frame,
    cell_label,
    label_room,
    look,
    panels,
    plural,
    shorten,
    styled,
    title_of,
    to_svg,
    workload_label,
)

PANEL_IN = 1.75
"""Height of a panel with lines."""
LINES = Frame(left=0.55, right=0.05, top=0.24, bottom=0.42, across=0.3, down=0.62)
ROW_IN = 0.2
Runs = dict[tuple[str, str, int, int], list[float]]
"""Epoch times of the completed runs of one scaling, by workload, strategy, nodes and devices."""


def draw_scaling(data: ReportData, scaling: str) -> Drawing | None:
    """The scaling figure, or None when no parallel cell has a speedup."""
    rows = [row for row in data.speedup if row.scaling == scaling and row.strategy != "serial" and row.speedup]
    workloads = [facts for facts in data.workloads if any(row.workload == facts.name for row in rows)]
    if not workloads:
        return None
    lines = len({row.devices for row in rows}) > 1
    with styled():
        figure = (_line_panels if lines else _interval_panels)(data, workloads, rows, scaling)
        svg = to_svg(figure)
    return Drawing("scaling", scaling, "lines" if lines else "intervals", svg, _alt(data, workloads, rows))


def _epoch_times(data: ReportData, scaling: str) -> Runs:
    times: Runs = {}
    for run in data.runs:
        if run.scaling == scaling and run.outcome == "completed" and run.epoch_time_s:
            times.setdefault((run.workload, run.strategy, run.nodes, run.devices), []).append(run.epoch_time_s)
    return times


def _run_speedups(runs: Runs, row: SpeedupRow) -> list[float]:
    """Where the single runs of a cell lie against the base."""
    work = row.devices if row.scaling == "weak" else 1
    times = runs.get((row.workload, row.strategy, row.nodes, row.devices), [])
    return [row.base_time_s / time_s * work for time_s in times] if row.base_time_s else []


def _interval_panels(data: ReportData, workloads: list[WorkloadFacts], rows: list[SpeedupRow], scaling: str) -> Figure:
    runs, columns = _epoch_times(data, scaling), min(2, len(workloads))
    most = max(sum(row.workload == facts.name for row in rows) for facts in workloads)
    left = label_room(cell_label(data, row) for row in rows)
    frame = Frame(left=left, right=0.42, top=0.42, bottom=0.42, across=left + 0.42, down=0.88)
    figure, axes = panels(len(workloads), columns, ROW_IN * (most + 0.3), frame)
    for ax, facts in zip(axes, workloads, strict=True):
        _intervals(ax, data, [row for row in rows if row.workload == facts.name], runs)
        ax.set_title(workload_label(facts), pad=14)
        ax.set_xlabel("Scaled speedup" if scaling == "weak" else "Speedup")
    return figure


def _intervals(ax: Axes, data: ReportData, rows: list[SpeedupRow], runs: Runs) -> None:
    """One line per cell: every run as a faint dot, the speedup with its interval, its number at the right."""
    ideal = float(rows[0].devices)
    seen = [1.0, ideal]
    for place, row in enumerate(rows):
        style, single = look(row.strategy), _run_speedups(runs, row)
        ends = [value for value in (row.speedup_low, row.speedup_high) if value is not None]
        ax.plot(single, [place] * len(single), ".", color=style.color, alpha=0.3, markersize=4, markeredgewidth=0)
        ax.plot(ends, [place] * len(ends), color=style.color, linewidth=1.6)
        face = style.color if style.filled else "white"
        ax.plot(row.speedup or 0.0, place, style.marker, color=style.color, markerfacecolor=face, markersize=5)
        text = numbers.fixed(row.speedup, 2) + "×"
        ax.annotate(text, (1.02, place), xycoords=("axes fraction", "data"), va="center", color=style.color, weight=600)
        seen += [*single, *ends, row.speedup or 1.0]
    for value, word in ((1.0, f"one {shorten(data.device_name, 14)}"), (ideal, "ideal")):
        ax.axvline(value, color=GRAY, linewidth=0.8, linestyle=":")
        ax.annotate(word, (value, -0.78), ha="center", va="bottom", color=GRAY, size=6.5, annotation_clip=False)
    room = 0.06 * (max(seen) - min(seen))
    ax.set_xlim(min(seen) - room, max(seen) + room)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.set_yticks(range(len(rows)), [cell_label(data, row) for row in rows])
    ax.set_ylim(len(rows) - 0.5, -0.8)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(visible=False, axis="y")


def _line_panels(data: ReportData, workloads: list[WorkloadFacts], rows: list[SpeedupRow], scaling: str) -> Figure:
    runs, columns = _epoch_times(data, scaling), min(2, len(workloads))
    figure, axes = panels(len(workloads), columns, PANEL_IN, LINES, sharex=True, sharey=True)
    _scale(axes, rows, weak=scaling == "weak")
    for index, (ax, facts) in enumerate(zip(axes, workloads, strict=True)):
        _lines(ax, data, [row for row in rows if row.workload == facts.name], runs)
        ax.set_title(workload_label(facts))
        ax.tick_params(labelbottom=True)
        if index % columns == 0:
            ax.set_ylabel("Efficiency" if scaling == "weak" else f"Speedup over one {shorten(data.device_name, 20)}")
        if index >= len(axes) - columns:
            ax.set_xlabel(plural(shorten(data.device_name, 20), 2))
    return figure


def _lines(ax: Axes, data: ReportData, rows: list[SpeedupRow], runs: Runs) -> None:
    """One line per strategy through its fastest cell at each number of devices, labeled at its end."""
    weak = rows[0].scaling == "weak"
    most = max(row.devices for row in rows)
    paths: dict[str, Path] = {}
    for strategy in dict.fromkeys(row.strategy for row in rows):
        members = [row for row in rows if row.strategy == strategy]
        _points(ax, members, runs)
        best = _fastest(members)
        paths[strategy] = [(1.0, 1.0), *best.items()]
        ax.plot([1, *best], [1.0, *best.values()], color=look(strategy).color, linestyle=look(strategy).dash)
    ax.plot(1, 1, "o", color=look("serial").color, zorder=4)
    ideal: Path = [(1.0, 1.0), (most, 1.0 if weak else most)]
    ax.plot(*zip(*ideal, strict=True), color=GRAY, linewidth=0.9, linestyle=":", zorder=1)
    if weak:
        ax.annotate("ideal", (most, 1), (6, 0), textcoords="offset points", color=GRAY, va="center")
    else:
        middle = math.sqrt(most)
        ax.annotate("ideal", (middle, middle), (-6, 5), textcoords="offset points", color=GRAY, ha="right")
    label_ends(ax, {title_of(data, name): (path, look(name).color) for name, path in paths.items()}, ideal)


def _points(ax: Axes, rows: list[SpeedupRow], runs: Runs) -> None:
    """The cells of one strategy with their intervals, and every run as a faint dot."""
    style = look(rows[0].strategy)
    shares = [row.devices if row.scaling == "weak" else 1 for row in rows]
    ys = [(row.speedup or 0.0) / share for row, share in zip(rows, shares, strict=True)]
    bars = [
        [max(y - (row.speedup_low or y * share) / share, 0) for row, y, share in zip(rows, ys, shares, strict=True)],
        [max((row.speedup_high or y * share) / share - y, 0) for row, y, share in zip(rows, ys, shares, strict=True)],
    ]
    dots = [(row.devices, v / share) for row, share in zip(rows, shares, strict=True) for v in _run_speedups(runs, row)]
    dot_xs, dot_ys = [x for x, _ in dots], [y for _, y in dots]
    ax.plot(dot_xs, dot_ys, ".", color=style.color, alpha=0.25, markersize=4, markeredgewidth=0)
    face = style.color if style.filled else "white"
    xs = [row.devices for row in rows]
    ax.errorbar(xs, ys, bars, fmt=style.marker, color=style.color, markerfacecolor=face, elinewidth=0.9, capsize=1.8,
                capthick=0.9, zorder=3)  # fmt: skip


def _fastest(rows: list[SpeedupRow]) -> dict[float, float]:
    best: dict[float, float] = {}
    for row in sorted(rows, key=lambda row: row.devices):
        value = (row.speedup or 0.0) / (row.devices if row.scaling == "weak" else 1)
        best[row.devices] = max(value, best.get(row.devices, 0.0))
    return best


def _scale(axes: list[Axes], rows: list[SpeedupRow], *, weak: bool) -> None:
    """The axes that all panels share: devices and speedup logarithmic, efficiency linear."""
    ax, devices = axes[0], sorted({1, *(row.devices for row in rows)})
    ax.set_xscale("log", base=2)
    ax.set_xlim(0.88, devices[-1] * 2 ** max(0.75, 0.27 * math.log2(devices[-1])))
    ax.xaxis.set_major_locator(FixedLocator(devices))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    lows = [row.speedup_low or row.speedup or 1.0 for row in rows]
    highs = [row.speedup_high or row.speedup or 1.0 for row in rows]
    if weak:
        low = min(1.0, *(value / row.devices for value, row in zip(lows, rows, strict=True)))
        high = max(1.0, *(value / row.devices for value, row in zip(highs, rows, strict=True)))
        ax.set_ylim(low - 0.1 * (1.02 - low), high + 0.1 * (1.02 - low))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}%"))
        return
    ax.set_yscale("log", base=2)
    low, high = min(1.0, *lows) / 1.15, max(devices[-1], *highs) * 1.15
    ax.set_ylim(low, high)
    powers = range(math.ceil(math.log2(low)), math.floor(math.log2(high)) + 1)
    ax.yaxis.set_major_locator(FixedLocator([2.0**power for power in powers]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_locator(NullLocator())


def _alt(data: ReportData, workloads: list[WorkloadFacts], rows: list[SpeedupRow]) -> str:
    parts = []
    for facts in workloads:
        cells = [
            f"{cell_label(data, row)} {numbers.fixed(row.speedup, 2)} of ideally {row.devices}"
            for row in rows
            if row.workload == facts.name
        ]
        parts.append(f"{workload_label(facts)}: {', '.join(cells)}")
    return "Speedup over the serial base. " + ". ".join(parts) + "."

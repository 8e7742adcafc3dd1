"""The scaling figure with several numbers of devices: one line per strategy."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from scalestudy.analysis.language import Language
from scalestudy.records.findings import FitCurve
from scalestudy.records.report import ReportData, SpeedupRow, WorkloadFacts
from scalestudy.report import numbers
from scalestudy.report.drawing import Look
from scalestudy.report.figures.labels import Line, Path, label_ends, word_aside
from scalestudy.report.figures.panels import Frame, panels
from scalestudy.report.figures.single_runs import Runs, epoch_times, run_speedups
from scalestudy.report.figures.style import (
    GRAY,
    language_of,
    look,
    shorten,
    title_of,
    workload_label,
)
from scalestudy.report.figures.ticks import draw_ticks

PANEL_IN = 1.75
"""Height of a panel."""
FRAME = Frame(left=0.55, right=0.05, top=0.24, bottom=0.42, across=0.3, down=0.62)
DRAWN_LAWS = {"strong": "amdahl", "epoch": "amdahl", "weak": "gustafson"}
"""The fitted law that a figure shows; the USL would lie on the measured lines."""


def line_panels(data: ReportData, workloads: list[WorkloadFacts], rows: list[SpeedupRow], scaling: str) -> Figure:
    """One panel per workload; all share their axes."""
    runs, columns, language = epoch_times(data, scaling), min(2, len(workloads)), language_of(data)
    figure, axes = panels(len(workloads), columns, PANEL_IN, FRAME, sharex="all", sharey="all")
    weak = scaling == "weak"
    _scale(axes, rows, language, weak=weak)
    for index, (ax, facts) in enumerate(zip(axes, workloads, strict=True)):
        _panel(ax, data, [row for row in rows if row.workload == facts.name], runs)
        ax.set_title(workload_label(data, facts))
        if index % columns == 0:
            one = language.say("Speedup over one {device}", device=shorten(data.device_name, 20))
            ax.set_ylabel(language.say("Efficiency") if weak else one)
        if index >= len(axes) - columns:
            ax.set_xlabel(shorten(data.device_plural, 20))
    for index, ax in enumerate(axes):
        draw_ticks([ax], numbers="x" if index % columns else "xy")
    return figure


def node_end(rows: list[SpeedupRow]) -> float | None:
    """Where one node ends: between the most devices on one node and the next larger number."""
    one = max((row.devices for row in rows if row.nodes == 1), default=None)
    more = [row.devices for row in rows if one and row.devices > one]
    return math.sqrt(one * min(more)) if one and more else None


def drawn_laws(data: ReportData, rows: list[SpeedupRow]) -> list[FitCurve]:
    """The fitted laws of the strategies in these rows, each up to its largest measured cell: this is no prediction."""
    found = []
    for curve in data.fit_curves:
        key = (curve.workload, curve.scaling, curve.strategy)
        measured = [row.devices for row in rows if (row.workload, row.scaling, row.strategy) == key]
        if measured and curve.law == DRAWN_LAWS[curve.scaling]:
            kept = [place for place, devices in enumerate(curve.devices) if devices <= max(measured)]
            parts = {name: [getattr(curve, name)[place] for place in kept] for name in ("devices", "speedup")}
            found.append(curve.model_copy(update=parts))
    return found


def _panel(ax: Axes, data: ReportData, rows: list[SpeedupRow], runs: Runs) -> None:
    """One line per strategy through its fastest cell at each number of devices, labeled at its end."""
    weak, language = rows[0].scaling == "weak", language_of(data)
    most = max(row.devices for row in rows)
    paths: dict[str, Path] = {}
    for strategy in dict.fromkeys(row.strategy for row in rows):
        members = [row for row in rows if row.strategy == strategy]
        style = look(data, strategy)
        _points(ax, members, runs, style)
        best = _fastest(members)
        paths[strategy] = [(1.0, 1.0), *best.items()]
        ax.plot([1, *best], [1.0, *best.values()], color=style.color, linestyle=style.dash)
    for curve in drawn_laws(data, rows):
        heights = [value / (p if weak else 1) for p, value in zip(curve.devices, curve.speedup, strict=True)]
        ax.plot(curve.devices, heights, color=look(data, curve.strategy).color, linewidth=0.6, alpha=0.55, zorder=1.5)
    ax.plot(1, 1, "o", color=look(data, "serial").color, zorder=4)
    ideal: Path = [(1.0, 1.0), (most, 1.0 if weak else most)]
    ax.plot(*zip(*ideal, strict=True), color=GRAY, linewidth=0.9, linestyle=":", zorder=1)
    _node_mark(ax, rows, language)
    ends = [Line(title_of(data, name), path, look(data, name).color) for name, path in paths.items()]
    ends += _ceiling(ax, rows, language)
    others = [ideal]
    if weak:
        ends.append(Line(language.say("ideal"), ideal, GRAY, strong=False))
    else:
        others.append(word_aside(ax, language.say("ideal"), math.sqrt(most)))
    label_ends(ax, ends, others)


def _ceiling(ax: Axes, rows: list[SpeedupRow], language: Language) -> list[Line]:
    """What independent serial trainings reach, drawn as a gray line, which is still to be named; none: not measured."""
    best: dict[float, float] = {}
    for row in sorted(rows, key=lambda row: row.devices):
        if row.ceiling_speedup:
            value = row.ceiling_speedup / (row.devices if row.scaling == "weak" else 1)
            best[row.devices] = max(value, best.get(row.devices, 0.0))
    if not best:
        return []
    path: Path = [(1.0, 1.0), *best.items()]
    ax.plot(*zip(*path, strict=True), color=GRAY, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
    return [Line(language.say("ceiling"), path, GRAY, strong=False)]


def _node_mark(ax: Axes, rows: list[SpeedupRow], language: Language) -> None:
    end = node_end(rows)
    if end is None:
        return
    ax.axvline(end, color="#b9bdc3", linewidth=0.8, zorder=0)
    # Above the ideal line, and below all that grows with the devices, there is room.
    left = (1, -4, "top") if rows[0].scaling != "weak" else (0, 4, "bottom")
    for word, shift, side, (at, up, va) in (
        ("fits on one node", -3, "right", left),
        ("several nodes", 3, "left", (0, 4, "bottom")),
    ):
        ax.annotate(
            language.say(word), (end, at), (shift, up), xycoords=("data", "axes fraction"), textcoords="offset points",
            ha=side, va=va, color=GRAY, size=6.5,
        )  # fmt: skip


def _points(ax: Axes, rows: list[SpeedupRow], runs: Runs, style: Look) -> None:
    """The cells of one strategy with their intervals, and every run as a faint dot."""
    shares = [row.devices if row.scaling == "weak" else 1 for row in rows]
    ys = [(row.speedup or 0.0) / share for row, share in zip(rows, shares, strict=True)]
    bars = [
        [max(y - (row.speedup_low or y * share) / share, 0) for row, y, share in zip(rows, ys, shares, strict=True)],
        [max((row.speedup_high or y * share) / share - y, 0) for row, y, share in zip(rows, ys, shares, strict=True)],
    ]
    dots = [(row.devices, v / share) for row, share in zip(rows, shares, strict=True) for v in run_speedups(runs, row)]
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


def _scale(axes: list[Axes], rows: list[SpeedupRow], language: Language, *, weak: bool) -> None:
    """The axes that all panels share: devices and speedup logarithmic, efficiency linear."""
    ax, devices = axes[0], sorted({1, *(row.devices for row in rows)})
    whole = FuncFormatter(lambda value, _: numbers.short(value, language))
    ax.set_xscale("log", base=2)
    ax.set_xlim(0.88, devices[-1] * 2 ** max(0.75, 0.27 * math.log2(devices[-1])))
    ax.xaxis.set_major_locator(FixedLocator(devices))
    ax.xaxis.set_major_formatter(whole)
    ax.xaxis.set_minor_locator(NullLocator())
    lows = [min(row.speedup_low or row.speedup or 1.0, row.ceiling_speedup or math.inf) for row in rows]
    highs = [max(row.speedup_high or row.speedup or 1.0, row.ceiling_speedup or 0.0) for row in rows]
    if weak:
        low = min(1.0, *(value / row.devices for value, row in zip(lows, rows, strict=True)))
        high = max(1.0, *(value / row.devices for value, row in zip(highs, rows, strict=True)))
        ax.set_ylim(low - 0.1 * (1.02 - low), high + 0.1 * (1.02 - low))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: numbers.percent(value, language)))
        return
    ax.set_yscale("log", base=2)
    low, high = min(1.0, *lows) / 1.15, max(devices[-1], *highs) * 1.15
    ax.set_ylim(low, high)
    powers = range(math.ceil(math.log2(low)), math.floor(math.log2(high)) + 1)
    ax.yaxis.set_major_locator(FixedLocator([2.0**power for power in powers]))
    ax.yaxis.set_major_formatter(whole)
    ax.yaxis.set_minor_locator(NullLocator())

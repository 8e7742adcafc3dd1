"""Predicted efficiency over numbers of devices beyond the measured ones, with the range of the simulated studies."""

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from scalestudy.analysis.language import Language
from scalestudy.records.findings import PredictionCurve
from scalestudy.records.report import ReportData, WorkloadFacts
from scalestudy.report import numbers
from scalestudy.report.drawing import Drawing
from scalestudy.report.figures.panels import Frame, panels
from scalestudy.report.figures.style import (
    GRAY,
    language_of,
    look,
    shorten,
    styled,
    title_of,
    to_svg,
    workload_label,
)
from scalestudy.report.figures.ticks import draw_ticks

PANEL_IN = 1.55
FRAME = Frame(left=0.55, right=0.75, top=0.24, bottom=0.42, across=0.9, down=0.62)
DASHES = {"ring": "-", "tree": (0, (4, 2))}
MOST_TICKS = 8


def draw_prediction(data: ReportData, scaling: str) -> Drawing | None:
    """One panel per workload; None when nothing was predicted."""
    curves = [curve for curve in data.predictions if curve.scaling == scaling and curve.devices]
    workloads = [facts for facts in data.workloads if any(curve.workload == facts.name for curve in curves)]
    if not workloads:
        return None
    columns, language = min(2, len(workloads)), language_of(data)
    with styled():
        figure, axes = panels(len(workloads), columns, PANEL_IN, FRAME, sharey="all")
        for index, (ax, facts) in enumerate(zip(axes, workloads, strict=True)):
            _panel(ax, data, scaling, [curve for curve in curves if curve.workload == facts.name])
            ax.set_title(workload_label(data, facts))
            if index % columns == 0:
                ax.set_ylabel(language.say("Efficiency"))
            if index >= len(axes) - columns:
                ax.set_xlabel(shorten(data.device_plural, 20))
        draw_ticks(axes)
        svg = to_svg(figure)
    return Drawing("prediction", scaling, "lines", svg, _alt(data, workloads, curves))


def _panel(ax: Axes, data: ReportData, scaling: str, curves: list[PredictionCurve]) -> None:
    """Lines with shaded ranges, and the measured cells as markers."""
    language = language_of(data)
    ends: list[tuple[float, str, str]] = []
    for curve in curves:
        style = look(data, curve.strategy)
        ax.fill_between(curve.devices, curve.low, curve.high, color=style.color, alpha=0.16, linewidth=0)
        ax.plot(curve.devices, curve.efficiency, color=style.color, linestyle=DASHES[curve.algorithm])
        label = f"{title_of(data, curve.strategy)}, {language.say(curve.algorithm)}"
        ends.append((curve.efficiency[-1], label, style.color))
    for row in data.speedup:
        if (
            row.workload == curves[0].workload
            and row.scaling == scaling
            and row.efficiency
            and row.strategy != "serial"
        ):
            style = look(data, row.strategy)
            face = style.color if style.filled else "white"
            ax.plot(row.devices, row.efficiency, style.marker, color=style.color, markerfacecolor=face, zorder=4)
    ax.axhline(1.0, color=GRAY, linewidth=0.9, linestyle=":", zorder=1)
    _axes(ax, sorted({count for curve in curves for count in curve.devices}), language)
    _end_labels(ax, max(curve.devices[-1] for curve in curves), ends)


def _axes(ax: Axes, devices: list[int], language: Language) -> None:
    step = -(-len(devices) // MOST_TICKS)
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(FixedLocator(devices[::-1][::step][::-1]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: numbers.short(value, language)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_ylim(0, 1.08)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: numbers.percent(value, language)))


def _end_labels(ax: Axes, last: float, ends: list[tuple[float, str, str]]) -> None:
    """Names at the right end, moved apart."""
    from scalestudy.report.figures.labels import spread

    low, high = ax.get_ylim()
    placed = spread([end for end, _, _ in ends], (high - low) * 8.5 / (PANEL_IN * 72))
    for place, (_, label, color) in zip(placed, ends, strict=True):
        ax.annotate(
            label, (last, place), (5, 0), textcoords="offset points", va="center", color=color, weight=600, size=7
        )


def _alt(data: ReportData, workloads: list[WorkloadFacts], curves: list[PredictionCurve]) -> str:
    language, parts = language_of(data), []
    for facts in workloads:
        ends = [
            language.say(
                "{strategy} with {algorithm}: {efficiency} on {devices}",
                strategy=title_of(data, curve.strategy),
                algorithm=language.say(curve.algorithm),
                efficiency=numbers.percent(curve.efficiency[-1], language),
                devices=numbers.fixed(curve.devices[-1], 0, language),
            )
            for curve in curves
            if curve.workload == facts.name
        ]
        parts.append(f"{workload_label(data, facts)}: {'; '.join(ends)}")
    return f"{language.say('Predicted efficiency on the most devices.')} {'. '.join(parts)}."

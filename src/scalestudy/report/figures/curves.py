"""Training loss over epochs: each parallel strategy over the band of the serial base, small multiples."""

import math
from collections import Counter
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from scalestudy.analysis.language import Language
from scalestudy.analysis.scaling_rows import of_scaling
from scalestudy.records.report import CurveRow, ReportData, WorkloadFacts
from scalestudy.report import numbers
from scalestudy.report.drawing import Drawing
from scalestudy.report.figures.panels import Frame, panels
from scalestudy.report.figures.style import (
    GRAY,
    cell_label,
    language_of,
    look,
    styled,
    title_of,
    to_svg,
    workload_label,
)
from scalestudy.report.figures.ticks import draw_ticks

PANEL_HEIGHT_IN = 0.95
FRAME = Frame(left=0.5, right=0.05, top=0.4, bottom=0.42, across=0.12, down=0.6)
FEWEST_POINTS = 3
"""With fewer epochs the points themselves are drawn."""


def draw_curves(data: ReportData, scaling: str) -> Drawing | None:
    """Rows are workloads, columns are strategies at their largest layout; None when nothing was trained.

    Its form names what the caption has to explain: ``parallel`` where a strategy is drawn, ``base`` where the serial
    base is, ``bands`` where runs differ, and ``thin`` where a strategy has smaller layouts.
    """
    rows = [row for row in of_scaling(data.curves, scaling) if row.train_loss]
    strategies = [row.name for row in data.strategies if row.name in {curve.strategy for curve in rows}]
    columns = [name for name in strategies if name != "serial"] or strategies
    workloads = [facts for facts in data.workloads if any(row.workload == facts.name for row in rows)]
    if not columns or not workloads:
        return None
    with styled():
        figure, axes = panels(
            len(workloads) * len(columns), len(columns), PANEL_HEIGHT_IN, FRAME, sharex="row", sharey="row"
        )
        for index, ax in enumerate(axes):
            facts, strategy = workloads[index // len(columns)], columns[index % len(columns)]
            members = [row for row in rows if row.workload == facts.name]
            _panel(ax, data, members, strategy)
            if index % len(columns) == 0:
                ax.set_ylabel(language_of(data).say("Training loss"))
                place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
                ax.annotate(workload_label(data, facts), (0, 1), (0, 15), size=8, weight=600, **place)
            if index >= len(axes) - len(columns):
                ax.set_xlabel(language_of(data).say("Epoch"))
        for index, ax in enumerate(axes):
            draw_ticks([ax], numbers="x" if index % len(columns) else "xy")
        svg = to_svg(figure)
    form = ["parallel"] if any(row.strategy != "serial" for row in rows) else []
    form += ["base"] if any(row.strategy == "serial" for row in rows) else []
    form += ["bands"] if any(row.low != row.high for row in rows) else []
    cells = Counter((row.workload, row.strategy) for row in rows if row.strategy in columns)
    form += ["thin"] if max(cells.values(), default=0) > 1 else []
    return Drawing("curves", scaling, " ".join(form), svg, _alt(data, workloads, rows))


def _panel(ax: Axes, data: ReportData, rows: list[CurveRow], strategy: str) -> None:
    serial = next((row for row in rows if row.strategy == "serial"), None)
    members = sorted((row for row in rows if row.strategy == strategy), key=lambda row: (row.devices, row.nodes))
    drawn = [row for row in (serial, *members) if row is not None]
    if serial is not None:
        _curve(ax, serial, GRAY, 0.9, band=0.22, dash="-")
    for row in members[:-1]:
        if row is not serial:
            _curve(ax, row, look(data, strategy).color, 0.5, band=0.0, dash="-")
    if members and members[-1] is not serial:
        _curve(ax, members[-1], look(data, strategy).color, 1.3, band=0.18, dash=look(data, strategy).dash)
    none = f"{title_of(data, strategy)}: {language_of(data).say('no completed run')}"
    ax.set_title(cell_label(data, members[-1]) if members else none, color=look(data, strategy).color, size=7.5)
    values = [value for row in drawn for value in (*row.low, *row.train_loss, *row.high) if math.isfinite(value)]
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    if values and min(values) > 0:
        _log_axis(ax, language_of(data))


def _log_axis(ax: Axes, language: Language) -> None:
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5), numticks=12))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: numbers.short(value, language)))


def _curve(ax: Axes, row: CurveRow, color: str, width: float, *, band: float, dash: object) -> None:
    epochs = range(1, len(row.train_loss) + 1)
    marker = "o" if len(row.train_loss) < FEWEST_POINTS else None
    if band and len(row.low) == len(row.high) == len(row.train_loss):
        ax.fill_between(epochs, row.low, row.high, color=color, alpha=band, linewidth=0)
    ax.plot(epochs, row.train_loss, color=color, linewidth=width, linestyle=dash, marker=marker)


def _alt(data: ReportData, workloads: list[WorkloadFacts], rows: list[CurveRow]) -> str:
    language, parts = language_of(data), []
    for facts in workloads:
        ends = [
            language.say(
                "{cell} from {first} to {last}",
                cell=cell_label(data, row),
                first=numbers.significant(row.train_loss[0], language),
                last=numbers.significant(row.train_loss[-1], language),
            )
            for row in rows
            if row.workload == facts.name
        ]
        parts.append(f"{workload_label(data, facts)}: {'; '.join(ends)}")
    return f"{language.say('Training loss from the first to the last epoch.')} {'. '.join(parts)}."

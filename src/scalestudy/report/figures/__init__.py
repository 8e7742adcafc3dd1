"""The figures of the report, one module each, drawn at their final size as SVG."""

from collections.abc import Callable

from scalestudy.records.report import ReportData
from scalestudy.report.drawing import Drawing
from scalestudy.report.figures.breakdown import draw_breakdown
from scalestudy.report.figures.curves import draw_curves
from scalestudy.report.figures.prediction import draw_prediction
from scalestudy.report.figures.scaling import draw_scaling
from scalestudy.report.figures.style import scalings

__all__ = ["KINDS", "Drawing", "draw_figures"]

KINDS: dict[str, Callable[[ReportData, str], Drawing | None]] = {
    "scaling": draw_scaling,
    "curves": draw_curves,
    "breakdown": draw_breakdown,
    "prediction": draw_prediction,
}
"""One entry per kind of figure; each is drawn for every scaling of the study."""


def draw_figures(data: ReportData) -> list[Drawing]:
    """Every figure that the data allow."""
    drawings = (draw(data, scaling) for scaling in scalings(data) for draw in KINDS.values())
    return [drawing for drawing in drawings if drawing]

"""The figures of the report, one module each, drawn at their final size as SVG."""

from scalestudy.records.report import ReportData
from scalestudy.report.figures.breakdown import draw_breakdown
from scalestudy.report.figures.curves import draw_curves
from scalestudy.report.figures.scaling import draw_scaling
from scalestudy.report.figures.style import Drawing, scalings

__all__ = ["Drawing", "draw_figures"]


def draw_figures(data: ReportData) -> list[Drawing]:
    """Every figure that the data allow: scaling, curves and breakdown for each scaling of the study."""
    drawings = []
    for scaling in scalings(data):
        for draw in (draw_scaling, draw_curves, draw_breakdown):
            if drawing := draw(data, scaling):
                drawings.append(drawing)
    return drawings

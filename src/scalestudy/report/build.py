"""results/STUDY/report.json to reports/STUDY: the PDF, its figures, and the tables as pages."""

import shlex
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from scalestudy.errors import StudyError
from scalestudy.records.files import read_model, write_bytes, write_text
from scalestudy.records.paths import StudyPaths
from scalestudy.records.report import ReportData
from scalestudy.report.drawing import Drawing
from scalestudy.report.pdf import svg_to_png, write_pdf
from scalestudy.report.printable import printable
from scalestudy.report.tables import write_table_pages

COMMANDS = "README.md"


def build_report(results: Path, reports: Path) -> Path:
    """Write ``report.pdf``, ``figures/`` and ``tables/`` below ``reports/STUDY`` and return the PDF's path.

    ``results`` is ``results/STUDY``, ``reports`` is ``reports/STUDY``; each file is written whole or not at all.
    Raises StudyError when report.json or tables/runs.csv is missing or damaged, or when a file cannot be written.
    """
    paths = StudyPaths(results)
    data = read_model(paths.report, ReportData)
    # In a process of its own: what matplotlib takes, 70 MB, is given back before the report is set.
    with ProcessPoolExecutor(max_workers=1) as drawing:
        figures = drawing.submit(_draw, data).result()
    output = reports / "report.pdf"
    write_pdf(data, figures, paths.tables / "runs.csv", output)
    _write_figures(figures, paths.report, reports / "figures")
    write_table_pages(paths.tables, reports / "tables")
    return output


def _draw(data: ReportData) -> list[Drawing]:
    from scalestudy.report.figures import draw_figures

    return list(draw_figures(printable(data)))


def write_figure(name: str, report: Path, output: Path) -> None:
    """Draw one figure of report.json as ``.svg`` or ``.png``, as the ending of ``output`` says.

    Raises StudyError for a name that this report has no figure of, and for another ending.
    """
    figures = {figure.name: figure for figure in _draw(read_model(report, ReportData))}
    if name not in figures:
        known = ", ".join(figures) or "none, since nothing was measured"
        raise StudyError(f"{report}: found no figure {name}; there is {known}")
    if output.suffix not in {".svg", ".png"}:
        raise StudyError(f"{output}: found the ending {output.suffix or 'none'}; must be .svg or .png")
    svg = figures[name].svg
    write_bytes(output, svg if output.suffix == ".svg" else svg_to_png(svg))


def _write_figures(figures: Sequence[Drawing], report: Path, folder: Path) -> None:
    """Each figure as SVG and PNG, and a page with the command that draws it again; older figures are removed."""
    lines = ["# Figures", "", "Each figure is drawn again from the numbers of the report by one command.", ""]
    for figure in figures:
        write_bytes(folder / f"{figure.name}.svg", figure.svg)
        write_bytes(folder / f"{figure.name}.png", svg_to_png(figure.svg))
        lines.append(f"* `scalestudy figure {figure.name} {shlex.quote(str(report))} {figure.name}.svg`")
    if not figures:
        lines.append("This study has no figure: nothing was measured.")
    write_text(folder / COMMANDS, "\n".join(lines) + "\n")
    names = {figure.name for figure in figures}
    for path in (*folder.glob("*.svg"), *folder.glob("*.png")):
        if path.stem not in names:
            try:
                path.unlink()
            except OSError as error:
                raise StudyError(f"{path}: cannot be removed: {error.strerror or error}") from error

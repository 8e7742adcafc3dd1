"""results/STUDY/report.json to reports/STUDY/report.pdf and its figures."""

from pathlib import Path

from scalestudy.records.files import read_model, write_bytes
from scalestudy.records.paths import StudyPaths
from scalestudy.records.report import ReportData
from scalestudy.report.pdf import write_pdf
from scalestudy.report.printable import printable


def build_report(results: Path, reports: Path) -> Path:
    """Write ``report.pdf`` and ``figures/*.svg`` below ``reports/STUDY`` and return the PDF's path.

    ``results`` is ``results/STUDY``, ``reports`` is ``reports/STUDY``; each file is written whole or not at all.
    Raises StudyError when report.json or tables/runs.csv is missing or damaged, or when a file cannot be written.
    """
    paths = StudyPaths(results)
    data = read_model(paths.report, ReportData)
    from scalestudy.report.figures import draw_figures  # matplotlib takes its time to import

    figures = draw_figures(printable(data))
    output = reports / "report.pdf"
    write_pdf(data, figures, paths.tables / "runs.csv", output)
    for figure in figures:
        write_bytes(reports / "figures" / f"{figure.name}.svg", figure.svg)
    return output

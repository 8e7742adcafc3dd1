"""results/STUDY/report.json to reports/STUDY/report.pdf and its figures."""

from pathlib import Path

from scalestudy.errors import StudyError
from scalestudy.records.files import read_model, write_bytes
from scalestudy.records.paths import StudyPaths
from scalestudy.records.report import ReportData
from scalestudy.report.pdf import write_pdf
from scalestudy.report.printable import printable

FIGURE_KINDS = ("scaling-", "curves-", "breakdown-")


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
    folder = reports / "figures"
    for figure in figures:
        write_bytes(folder / f"{figure.name}.svg", figure.svg)
    _remove_others(folder, {f"{figure.name}.svg" for figure in figures})
    return output


def _remove_others(folder: Path, kept: set[str]) -> None:
    """Remove figures of an earlier report that this one no longer has; foreign files stay."""
    for path in folder.glob("*.svg"):
        if path.name not in kept and path.name.startswith(FIGURE_KINDS):
            try:
                path.unlink()
            except OSError as error:
                raise StudyError(f"{path}: cannot be removed: {error.strerror or error}") from error

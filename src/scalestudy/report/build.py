"""results/STUDY/report.json to reports/STUDY: the PDF, its figures, and the tables as pages."""

import pickle
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scalestudy.errors import StudyError
from scalestudy.records.files import is_there, read_model, write_bytes, write_text
from scalestudy.records.paths import StudyPaths
from scalestudy.records.report import ReportData
from scalestudy.report.drawing import Drawing
from scalestudy.report.pdf import Manuscript, svg_to_png, write_manuscript, write_pdf
from scalestudy.report.printable import printable
from scalestudy.report.tables import write_table_pages

COMMANDS = "README.md"
PDF = "report.pdf"
RUNS = "runs.csv"


def build_report(results: Path, reports: Path) -> Path:
    """Write ``report.pdf``, ``figures/`` and ``tables/`` below ``reports/STUDY`` and return the PDF's path.

    ``results`` is ``results/STUDY``, or a folder with the two attachments of a report; ``reports`` is
    ``reports/STUDY``; each file is written whole or not at all. Raises StudyError when report.json or tables/runs.csv
    is missing or damaged, or when a file cannot be written.
    """
    paths = StudyPaths(results)
    output = reports / PDF
    beside = results / RUNS  # as the attachments of a report are saved
    attached = is_there(beside) and not is_there(paths.tables / RUNS)
    runs = beside if attached else paths.tables / RUNS
    write_pdf(_manuscript_of(paths.report, runs, reports / "figures"), output)
    if not attached:  # which have no other table
        write_table_pages(paths.tables, reports / "tables")
    return output


def _draw(data: ReportData) -> list[Drawing]:
    from scalestudy.report.figures import draw_figures

    return list(draw_figures(printable(data)))


def _manuscript_of(report: Path, runs_csv: Path, folder: Path) -> Manuscript:
    """Draw and write the figures, and return what is to be set.

    In a process of its own: what the models and drawing take, 200 MB, is given back before the report is set. A plain
    one: a fork lacks the threads of a Typst that this process used before, and a pool leaves a process behind.
    """
    code = "import sys; sys.path[:] = sys.argv[4:]; from scalestudy.report.build import hand_over; hand_over()"
    command = [sys.executable, "-c", code, str(report), str(runs_csv), str(folder), *sys.path]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode < 0:
        raise StudyError(f"{report}: the process that draws its figures was ended by signal {-done.returncode}")
    if done.returncode > 0:
        raise StudyError(f"{report}: its figures could not be drawn; what Python says stands above")
    made = pickle.loads(done.stdout)
    if isinstance(made, StudyError):
        raise made
    assert isinstance(made, Manuscript)
    return made


def hand_over() -> None:
    """The other process: write the figures and print the pickled Manuscript, or the StudyError that came in between."""
    report, runs_csv, folder = map(Path, sys.argv[1:4])
    made: Manuscript | StudyError
    try:
        data = read_model(report, ReportData)
        figures = _draw(data)
        made = write_manuscript(data, figures, runs_csv)
        write_figures(figures, [svg_to_png(figure.svg) for figure in figures], report, folder)
    except StudyError as error:
        made = error
    sys.stdout.buffer.write(pickle.dumps(made))


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


def write_figures(figures: Sequence[Drawing], pictures: Sequence[bytes], report: Path, folder: Path) -> None:
    """Each figure as SVG and PNG, and a page with the command that draws it again; older figures are removed."""
    lines = ["# Figures", "", "Each figure is drawn again from the numbers of the report by one command.", ""]
    for figure, picture in zip(figures, pictures, strict=True):
        write_bytes(folder / f"{figure.name}.svg", figure.svg)
        write_bytes(folder / f"{figure.name}.png", picture)
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

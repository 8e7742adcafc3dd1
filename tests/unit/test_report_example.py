"""The committed example is, byte for byte, what this code sets from the numbers attached to it.

After an intended change of the report: ``python tests/unit/test_report_example.py`` sets it again from them. Sentences
stand in report.json: after a change of a rule the example is made from its records instead, by ``scalestudy report
results/quick/report.json reports/example/report.pdf`` and a copy of ``results/quick/tables/*.csv`` beside the pages.
"""

import io
import sys
from pathlib import Path

import pypdf
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
from page_pictures import alike

from scalestudy.records.report import ReportData
from scalestudy.report.build import write_figures
from scalestudy.report.captions import TABLES
from scalestudy.report.drawing import Drawing
from scalestudy.report.figures import draw_figures
from scalestudy.report.pdf import compile_report, render_pages, svg_to_png
from scalestudy.report.printable import printable
from scalestudy.report.tables import table_page, write_table_pages

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "reports" / "example"
FRONT = ROOT / "docs" / "images" / "report-page.png"
"""The first page, which the README shows."""
PIXELS_PER_INCH = 90
REMAKE = f"set it again: python {Path(__file__).relative_to(ROOT)}"


def attached() -> tuple[ReportData, list[Drawing], str]:
    """What the example was made of: the data, the figures drawn from them, and runs.csv."""
    files = pypdf.PdfReader(io.BytesIO((EXAMPLE / "report.pdf").read_bytes())).attachments
    data = ReportData.model_validate_json(files["report.json"][0])
    return data, draw_figures(printable(data)), files["runs.csv"][0].decode()


def set_again() -> tuple[bytes, list[Drawing]]:
    """The report and its figures from what is attached to it."""
    data, figures, runs = attached()
    return compile_report(data, figures, runs, "pdf"), figures


def test_the_example_is_what_this_code_makes_of_the_numbers_attached_to_it():
    pdf, figures = set_again()
    stored = {path.stem: path.read_bytes() for path in (EXAMPLE / "figures").glob("*.svg")}
    assert [figure.name for figure in figures if stored.get(figure.name) != figure.svg] == [], REMAKE
    if pdf != (EXAMPLE / "report.pdf").read_bytes():  # two files of a megabyte are no message
        raise AssertionError(f"reports/example/report.pdf is another: {REMAKE}")


def test_the_readme_shows_the_first_page_of_the_example():
    first, second, *_ = (
        Image.open(io.BytesIO(page)).convert("L") for page in render_pages(*attached(), PIXELS_PER_INCH)
    )
    shown = Image.open(FRONT).convert("L")
    assert alike(shown, first), REMAKE
    assert not alike(shown, second)


def test_every_figure_of_the_example_is_there_as_a_picture_with_the_command_that_draws_it():
    commands = (EXAMPLE / "figures" / "README.md").read_text()
    for path in (EXAMPLE / "figures").glob("*.svg"):
        assert path.with_suffix(".png").stat().st_size > 10_000
        assert f"scalestudy figure {path.stem} results/quick/report.json {path.stem}.svg" in commands


def test_every_table_of_the_example_is_there_as_csv_and_as_the_page_that_is_made_of_it():
    tables = {path.stem: path.read_text(encoding="utf-8") for path in (EXAMPLE / "tables").glob("*.csv")}
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (EXAMPLE / "tables").glob("*.html")}
    assert tables.keys() == pages.keys() == TABLES.keys()
    assert [name for name, text in tables.items() if pages[name] != table_page(name, text)] == [], REMAKE
    assert attached()[2] == tables["runs"]


if __name__ == "__main__":
    report, drawings = set_again()
    (EXAMPLE / "report.pdf").write_bytes(report)
    FRONT.write_bytes(render_pages(*attached(), PIXELS_PER_INCH)[0])
    pictures = [svg_to_png(drawing.svg) for drawing in drawings]
    write_figures(drawings, pictures, Path("results/quick/report.json"), EXAMPLE / "figures")
    write_table_pages(EXAMPLE / "tables", EXAMPLE / "tables")

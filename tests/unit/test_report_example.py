"""The committed example is, byte for byte, what this code sets from the numbers attached to it.

After an intended change of the report: ``python tests/unit/test_report_example.py`` sets it again from them. Sentences
stand in report.json: after a change of a rule the example is made from its records instead, by ``scalestudy report
results/quick/report.json reports/example/report.pdf`` and a copy of ``results/quick/tables/*.csv`` beside the pages.
"""

import io
from pathlib import Path

import pypdf

from scalestudy.records.report import ReportData
from scalestudy.report.build import write_figures
from scalestudy.report.captions import TABLES
from scalestudy.report.drawing import Drawing
from scalestudy.report.figures import draw_figures
from scalestudy.report.pdf import compile_report, svg_to_png
from scalestudy.report.printable import printable
from scalestudy.report.tables import table_page, write_table_pages

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "reports" / "example"
REMAKE = f"set it again: python {Path(__file__).relative_to(ROOT)}"


def set_again() -> tuple[bytes, list[Drawing]]:
    """The report and its figures from what is attached to it."""
    attached = pypdf.PdfReader(io.BytesIO((EXAMPLE / "report.pdf").read_bytes())).attachments
    data = ReportData.model_validate_json(attached["report.json"][0])
    figures = draw_figures(printable(data))
    return compile_report(data, figures, attached["runs.csv"][0].decode(), "pdf"), figures


def test_the_example_is_what_this_code_makes_of_the_numbers_attached_to_it():
    pdf, figures = set_again()
    stored = {path.stem: path.read_bytes() for path in (EXAMPLE / "figures").glob("*.svg")}
    assert [figure.name for figure in figures if stored.get(figure.name) != figure.svg] == [], REMAKE
    if pdf != (EXAMPLE / "report.pdf").read_bytes():  # two files of a megabyte are no message
        raise AssertionError(f"reports/example/report.pdf is another: {REMAKE}")


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
    attached = pypdf.PdfReader(io.BytesIO((EXAMPLE / "report.pdf").read_bytes())).attachments
    assert attached["runs.csv"][0].decode() == tables["runs"]


if __name__ == "__main__":
    report, drawings = set_again()
    (EXAMPLE / "report.pdf").write_bytes(report)
    pictures = [svg_to_png(drawing.svg) for drawing in drawings]
    write_figures(drawings, pictures, Path("results/quick/report.json"), EXAMPLE / "figures")
    write_table_pages(EXAMPLE / "tables", EXAMPLE / "tables")

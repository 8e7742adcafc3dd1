"""Tables as pages, and captions: text of the study is never markup."""

from html.parser import HTMLParser

import report_data
from docutils.core import publish_parts
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment

from scalestudy.analysis.tables import runs_csv
from scalestudy.report.captions import FIGURES, TABLES, literal
from scalestudy.report.figures import KINDS
from scalestudy.report.tables import table_page, write_table_pages

HOSTILE = [*report_data.HOSTILE, "</script><script>alert(1)</script>", ".. include:: /etc/passwd", "|x|", "`a`_",
           "1. a", "$(rm -rf /)", "{{ 7 * 7 }}", "\\", "..", "* a", ":raw:`x`", "a\n\n::\n\n b"]  # fmt: skip


class Cells(HTMLParser):
    """The texts of the cells, and all tags."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag in {"td", "th"}:
            self.texts.append("")

    def handle_data(self, data):
        if self.tags and self.tags[-1] in {"td", "th"}:
            self.texts[-1] += data


def test_hostile_texts_are_printed_literally_in_the_pages_of_tables():
    runs = [
        row.model_copy(update={"reason": text}) for row, text in zip(report_data.laptop().runs, HOSTILE, strict=False)
    ]
    page = Cells()
    page.feed(table_page("runs", runs_csv(runs)))
    for text in HOSTILE:
        if "\n" not in text:
            assert text in page.texts
    assert "script" not in page.tags
    assert set(page.tags) <= {"html", "head", "meta", "title", "style", "body", "h1", "table", "thead", "tbody", "tr",
                              "th", "td", "p"}  # fmt: skip


def test_numbers_are_shortened_and_whole_in_the_tooltip():
    page = table_page("t", "a,b\n0.123456789,42\n")
    assert '<td class="number" title="0.123456789">0.123457</td><td class="number" title="42">42</td>' in page


def test_pages_of_tables_that_are_no_more_are_removed(tmp_path):
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "runs.csv").write_text("run\na\n")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "gone.html").write_text("x")
    write_table_pages(tmp_path / "csv", tmp_path / "old")
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["runs.html"]


def rendered(text):
    """A paragraph of RST as Snakemake renders captions: through Jinja, then docutils; its text without tags."""
    source = Environment().from_string("**{{ title }}**\n\n{{ title }}\n").render(title=literal(text))
    body = publish_parts(source, writer_name="html", settings_overrides={"report_level": 1, "halt_level": 2})["body"]
    parser = Cells()
    parser.feed(body)
    return parser.tags, body


def test_hostile_texts_are_literal_in_captions():
    for text in HOSTILE:
        tags, body = rendered(text)
        assert set(tags) <= {"p", "strong"}, text
        assert "49" not in body or "49" in text
        assert "root:" not in body


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1).filter(lambda text: text.strip()))
def test_any_text_is_a_paragraph_in_a_caption(text):
    if literal(text):
        tags, _ = rendered(text)
        assert set(tags) <= {"p", "strong"}


def test_every_kind_of_figure_has_a_label():
    assert set(FIGURES) == set(KINDS)


def test_every_table_that_the_analysis_writes_has_a_label_and_a_caption(tmp_path):
    from pathlib import Path

    from scalestudy.analysis.tables import write_tables
    from scalestudy.records.paths import StudyPaths

    write_tables(StudyPaths(tmp_path), report_data.whole(), "run\n")
    written = {path.stem for path in (tmp_path / "tables").glob("*.csv")}
    captions = (Path(__file__).parents[2] / "workflow" / "captions" / "table.rst").read_text()
    assert written <= set(TABLES)
    assert [name for name in written if f'"{name}":' not in captions] == []

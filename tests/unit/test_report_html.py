"""Tables as pages, and captions: text of the study is never markup."""

import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
import report_data
from docutils.core import publish_parts
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment

from scalestudy.analysis.language import GERMAN, LANGUAGES
from scalestudy.analysis.tables import runs_csv
from scalestudy.report.captions import FIGURES, TABLES, Labels, literal, words
from scalestudy.report.figures import KINDS
from scalestudy.report.tables import table_page, write_table_pages
from scalestudy.spec.config import ReportSpec
from scalestudy.spec.run import Study

CAPTIONS = Path(__file__).parents[2] / "workflow" / "captions"

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
    page.feed(table_page("runs", runs_csv(runs, [])))
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


@settings(max_examples=60)
@given(st.text(min_size=1).filter(lambda text: text.strip()))
def test_any_text_is_a_paragraph_in_a_caption(text):
    if literal(text):
        tags, _ = rendered(text)
        assert set(tags) <= {"p", "strong"}


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_kind_of_figure_has_a_label_and_a_caption(code):
    captions = (CAPTIONS / code / "figure.rst").read_text(encoding="utf-8")
    assert set(FIGURES) == set(KINDS)
    assert [kind for kind in KINDS if f'"{kind}":' not in captions] == []


@pytest.mark.parametrize(
    ("code", "said"), [("en", "bars, where there are any, are 95% intervals"), ("de", "zum Niveau 95\u00a0%, blasse")]
)
def test_the_caption_of_a_figure_has_the_level_of_the_intervals_as_the_pdf_writes_it(code, said):
    study = Study(name="time", runs=[], accuracy_margin=0.01, report=ReportSpec(language=code))
    source = (CAPTIONS / code / "figure.rst").read_text(encoding="utf-8")
    of = SimpleNamespace(wildcards=SimpleNamespace(figure="scaling-epoch"), config={"words": words(study)})
    assert said in Environment().from_string(source).render(snakemake=of)


@pytest.mark.parametrize(("code", "said"), [("en", "divided by the devices"), ("de", "geteilt durch die Geräte")])
def test_the_caption_of_a_breakdown_says_what_its_bars_are_under_each_scaling(code, said):
    study = Study(name="time", runs=[], accuracy_margin=0.01, report=ReportSpec(language=code))
    source = (CAPTIONS / code / "figure.rst").read_text(encoding="utf-8")
    for scaling in ("weak", "strong"):
        of = SimpleNamespace(wildcards=SimpleNamespace(figure=f"breakdown-{scaling}"), config={"words": words(study)})
        caption = Environment().from_string(source).render(snakemake=of)
        assert (said in caption) is (scaling == "weak")


def test_categories_and_labels_of_a_german_report_are_german():
    rules = (CAPTIONS.parent / "rules" / "report.smk").read_text(encoding="utf-8")
    said = re.findall(r'LABELS\.say\("(.+)"\)', rules)
    said += [*FIGURES.values(), *TABLES.values(), "part", "of", "the report", "the study", "No authors were named"]
    assert len(said) > len(FIGURES) + len(TABLES) + 3
    assert [text for text in said if text not in GERMAN.phrases] == []


def test_labels_follow_the_language_of_the_report():
    labels = Labels(Study(name="time", runs=[], accuracy_margin=0.01, report=ReportSpec(language="de")))
    assert labels.captions == "../captions/de"
    assert labels.of_report() == {"Teil": "der Bericht", "von": "time"}  # a phrase elsewhere, and a name here
    figure, table = SimpleNamespace(figure="scaling-epoch"), SimpleNamespace(table="runs")
    assert labels.of_figure(figure) == {"Teil": "Speedup und Effizienz", "von": "Epochenskalierung"}
    assert labels.of_table(table) == {"Teil": "jeder geplante Lauf", "von": "runs.csv"}
    assert words(labels.study)["title"] == "Skalierungsstudie time"
    english = Labels(Study(name="time", runs=[], accuracy_margin=0.01))
    assert english.of_figure(figure) == {"part": "speedup and efficiency", "of": "epoch scaling"}


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_table_that_the_analysis_writes_has_a_label_and_a_caption(tmp_path, code):
    from scalestudy.analysis.tables import write_tables
    from scalestudy.records.paths import StudyPaths

    data = report_data.whole()
    write_tables(StudyPaths(tmp_path), data, "run\n", data.workloads)
    written = {path.stem for path in (tmp_path / "tables").glob("*.csv")}
    captions = (CAPTIONS / code / "table.rst").read_text(encoding="utf-8")
    assert written <= set(TABLES)
    assert [name for name in written if f'"{name}":' not in captions] == []

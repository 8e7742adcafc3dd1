"""Where pages end: behind rows enough of a table, not between a line and its table, and with no figure amid a list."""

import io
import re

import pypdf
import pytest
import report_data

from scalestudy.records.report import Method, Sentence
from scalestudy.report.figures import draw_figures
from scalestudy.report.pdf import compile_report
from scalestudy.report.printable import printable
from scalestudy.spec.config import PublishedSpeedup

LONGER = range(0, 44, 6)
"""Lines more of the overview: each moves every page end."""


def pages_of(lines):
    """The pages of a study with a long table of parity, a long list of sentences and published speedups, as texts."""
    data = report_data.laptop()
    parity = [data.parity[0].model_copy(update={"steps": 7000 + place}) for place in range(40)]
    said = [Sentence(rule="R2", section="performance", scaling="epoch", text=f"Item{n}. " * 24) for n in range(14)]
    published = [PublishedSpeedup(source="elsewhere", speedups=[1.5])]
    overview = "\n\n".join(["A line."] * lines)
    others = [sentence for sentence in data.sentences if sentence.section != "performance"]
    changes = {"parity": parity, "sentences": [*others, *said]}
    words = data.words.model_copy(update={"overview": overview, "published": published})
    data = data.model_copy(update={**changes, "words": words})
    pdf = compile_report(data, draw_figures(printable(data)), "run\n", "pdf")
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]


@pytest.fixture(scope="module")
def studies():
    return [pages_of(lines) for lines in LONGER]


def test_a_table_that_breaks_leaves_three_rows_or_more_to_the_next_page(studies):
    found = [[n for page in pages if (n := len(re.findall(r"70[0-3]\d", page)))] for pages in studies]
    assert all(sum(counts) == 40 for counts in found)
    assert any(len(counts) > 1 for counts in found)
    assert min(counts[-1] for counts in found) >= 3


def test_a_table_that_goes_on_says_so_on_each_further_page_and_nowhere_else(studies):
    for pages in studies:
        held = [page for page in pages if re.search(r"70[0-3]\d", page)]
        (number,) = re.findall(r"Table (\d+)\. Parity with serial training in double", held[0])
        marks = [re.findall(r"Table (\d+), continued\.", page) for page in held]
        assert [marked.count(number) for marked in marks] == [0] + [1] * (len(held) - 1)
    assert any(len(re.findall(", continued", "".join(pages))) > 1 for pages in studies)


LANGUAGES = [("en", "Table", "continued"), ("de", "Tabelle", "Fortsetzung")]


@pytest.mark.parametrize(("language", "begins", "goes_on"), LANGUAGES)
def test_every_table_that_goes_on_began_on_a_page_before(language, begins, goes_on):
    data = report_data.whole()
    data = data.model_copy(update={"words": data.words.model_copy(update={"language": language})})
    pdf = compile_report(data, draw_figures(printable(data)), "run\n", "pdf")
    begun, found = set(), 0
    for page in pypdf.PdfReader(io.BytesIO(pdf)).pages:
        text = page.extract_text()
        marked = re.findall(rf"{begins} (\d+), {goes_on}\.", text)
        found += len(marked)
        assert begun.issuperset(marked)
        begun |= set(re.findall(rf"^{begins} (\d+)\. ", text, re.M))
    assert len(begun) > 20
    assert found > 3


def test_a_row_of_a_table_of_texts_stands_on_one_page():
    """Whichever lines push it over a page's end: those of an evidence follow each other on the page of its rule."""
    data = report_data.whole()
    evidence = "Evidence " + "that goes on for so many words that it takes five lines of its column, " * 4 + "done."
    rows = [row.model_copy(update={"evidence": evidence}) for row in data.compliance]
    ends = set()
    for lines in (0, 5, 10, 15, 20):
        words = data.words.model_copy(update={"conclusion": "\n\n".join(["A line."] * lines)})
        moved = data.model_copy(update={"compliance": rows, "words": words, "runs": data.runs[:20]})
        pdf = compile_report(moved, [], "run\n", "pdf")
        pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]
        counts = [(len(re.findall("Evidence that", page)), page.count("done.")) for page in pages]
        assert sum(begun for begun, _ in counts) == len(rows)
        assert all(begun == done for begun, done in counts)
        ends.add(tuple(begun for begun, _ in counts if begun))
    assert max(map(len, ends)) > 1  # a table that breaks was among them


def test_a_line_under_a_heading_stands_on_the_page_of_its_table(studies):
    for pages in studies:
        (page,) = (page for page in pages if "neither can be divided" in " ".join(page.split()))
        assert "Measured here and published elsewhere" in page


def test_no_line_ends_within_a_word_that_begins_with_a_number():
    """Wherever it stands in its line; in narrow columns of methods too."""
    kept = ["12 CPU-Kerne", "95-%-t-Intervall"]
    data = report_data.single()
    said = [
        Sentence(rule="R2", section="performance", scaling="epoch", text=f"{'a ' * n}{' '.join(kept)} a.")
        for n in range(30, 70)
    ]
    methods = [
        Method(quantity="a", method=f"{'a ' * n}{kept[1]}, a", source="Welch, Biometrika 34 (1947)")
        for n in range(5, 40)
    ]
    pdf = compile_report(data.model_copy(update={"sentences": said, "methods": methods}), [], "run\n", "pdf")
    text = "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)
    assert len(re.findall(r"CPU-\s*Kerne", text)) == len(said)
    assert len(re.findall(r"%-\s*t-\s*Intervall", text)) == len(said) + len(methods)
    assert re.findall(r"(?:12|CPU-|95-|%-|t-)\s*\n\s*(?:CPU|Kerne|%|t-|Intervall)", text) == []


def test_no_figure_stands_amid_a_list(studies):
    broken = 0
    for pages in studies:
        for page in pages:
            items = [int(n) for n in re.findall(r"Item(\d+)", page)]
            if items and items[0] > 0:  # a list that goes on from the page before
                broken += 1
                before, _, _ = page.partition("Item")
                assert "Figure" not in before
    assert broken


def test_the_figures_of_a_part_of_the_section_on_accuracy_stand_before_the_next_part():
    """With several scalings several of them wait for a place; behind the heading stand lists and tables of its own."""
    data = report_data.many_panels()
    figures = draw_figures(printable(data))
    for lines in (0, 8):
        words = data.words.model_copy(update={"overview": "\n\n".join(["A line."] * lines)})
        pdf = compile_report(data.model_copy(update={"words": words, "runs": data.runs[:20]}), figures, "run\n", "pdf")
        pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]
        drawn = [number for number, page in enumerate(pages) if re.search(r"Figure \d+\. Training loss", page)]
        (heading,) = [number for number, page in enumerate(pages) if re.search(r"^7\.2 Time to accuracy$", page, re.M)]
        assert len(drawn) == 3
        assert max(drawn) <= heading


def pages_of_panels(lines):
    """The lines of each page of a study of many workloads, whose tables have a title above the rows of each."""
    data = report_data.many_panels()
    words = data.words.model_copy(update={"overview": "\n\n".join(["A line."] * lines)})
    data = data.model_copy(update={"words": words})
    pdf = compile_report(data, draw_figures(printable(data)), "run\n", "pdf")
    titles = {facts.title for facts in data.workloads}
    pages = [page.extract_text().split("\n") for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]
    return [[line.strip() for line in page if line.strip()] for page in pages], titles


@pytest.fixture(scope="module")
def panels():
    return [pages_of_panels(lines) for lines in (0, 14, 28)]


def test_a_title_of_a_group_keeps_rows_with_it_on_its_page(panels):
    found = 0
    for pages, titles in panels:
        for page in pages:
            lines = [line for line in page if not re.search(r"^scalestudy|^\d+ / \d+$", line)]
            ends = [place for place, line in enumerate(lines) if any(line.startswith(title) for title in titles)]
            if ends and not any(line.startswith(("Figure", "Abbildung")) for line in lines[ends[-1] :]):
                found += 1
                assert len(lines) - ends[-1] > 2, lines[-6:]
    assert found


def test_a_prediction_stands_below_the_heading_of_its_section():
    data = report_data.whole()
    for shift in (0, 18):
        words = data.words.model_copy(update={"overview": "\n\n".join(["A line."] * shift)})
        moved = data.model_copy(update={"words": words})
        pdf = compile_report(moved, draw_figures(printable(moved)), "run\n", "pdf")
        text = "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages[1:])
        heading = re.search(r"^9\s+\S+$", text, re.M)
        captions = [found.start() for found in re.finditer(r"^(Figure|Abbildung) \d+.*(redict|orhersag)", text, re.M)]
        assert heading
        assert captions
        assert min(captions) > heading.start()

"""The PDF: its numbers, its metadata, and texts that would be code elsewhere."""

import hashlib
import io
import json
import re

import pypdf
import pytest
import report_data

from scalestudy.errors import StudyError
from scalestudy.report import numbers
from scalestudy.report.figures import draw_figures
from scalestudy.report.pdf import compile_report, write_pdf
from scalestudy.report.printable import printable, printable_text

RUNS = "run,epoch_time_s\na,1.5\n"


def make(data):
    return compile_report(data, draw_figures(printable(data)), RUNS, "pdf")


def text_of(pdf):
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)


def bare(text):
    """Without any white space and joined ligatures, which line breaking and fonts put in."""
    for ligature, letters in {"ﬁ": "fi", "ﬂ": "fl", "ﬀ": "ff", "ﬃ": "ffi", "ﬄ": "ffl"}.items():
        text = text.replace(ligature, letters)
    return re.sub(r"[\s\u00ad]+", "", text)


@pytest.fixture(scope="module")
def laptop():
    return make(report_data.laptop())


@pytest.fixture(scope="module")
def reader(laptop):
    return pypdf.PdfReader(io.BytesIO(laptop))


@pytest.mark.parametrize("shape", [report_data.laptop, report_data.cluster])
def test_every_number_of_the_speedup_table_is_printed_as_it_is_formatted(shape):
    data = shape()
    text = bare(text_of(compile_report(data, [], RUNS, "pdf")))
    for row in data.speedup:
        members = [r for r in data.speedup if (r.workload, r.scaling) == (row.workload, row.scaling)]
        cells = [
            row.nodes,
            row.devices,
            row.n,
            numbers.fixed(row.time_s, numbers.decimals_for(r.time_s for r in members)),
            numbers.fixed(row.images_per_s, min(1, numbers.decimals_for(r.images_per_s for r in members))),
        ]
        if row.speedup is None:
            cells.append(row.note)
        else:
            low_high = numbers.interval(row.speedup_low, row.speedup_high, 2)
            cells += [
                numbers.fixed(row.speedup, 2),
                "baseline" if row.strategy == "serial" else low_high,
                numbers.percent(row.efficiency),
                numbers.fixed(row.end_to_end_speedup, 2),
            ]
        assert bare("".join(map(str, cells))) in text, row


def test_sections_come_in_the_order_of_the_course_report(laptop):
    headings = ["Abstract.", "1Overview", "2Modelandserialbaseline", "3Parallelizationstrategies"]
    headings += ["4Targetarchitecture", "5Experimentalset-up", "6Performance", "7Accuracyandcorrectness"]
    headings += ["8Performancechallenges", "9Prediction", "10Discussionandconclusion", "AAllruns", "BFailures"]
    headings += ["CProvenanceandreproduction", "DRulesofthegeneratedsentences", "ETwelverules", "FArtifactdescription"]
    text = bare(text_of(laptop)).rpartition("FArtifactdescription......")[2]  # behind the contents list
    places = [text.index(heading) for heading in headings[1:]]
    assert places == sorted(places)


def test_what_the_authors_left_out_is_said_in_a_sentence(laptop):
    text = bare(text_of(laptop))
    for word in ("overview", "interpretation", "conclusion"):
        assert f"No{word}wassuppliedbytheauthors" in text


def test_the_authors_words_and_the_sentences_with_their_rules_are_printed():
    words = {"discussion": "We think it was the cache.", "conclusion": "Buy one node."}
    data = report_data.build(report_data.Shape(words=words))
    text = bare(text_of(make(data)))
    for expected in [*words.values(), *(row.text.replace("**", "") for row in data.sentences)]:
        assert bare(expected) in text
    assert "R10" in text
    assert "No interpretation" not in text


def test_hostile_texts_are_printed_as_they_are():
    pdf = make(report_data.hostile())
    text = bare(text_of(pdf))
    for hostile in report_data.HOSTILE:
        if hostile == "שלום مرحبا":
            continue  # extraction returns right-to-left letters in either order; the reference pages show them
        assert text.count(bare(printable_text(hostile))) >= 10, hostile


@pytest.mark.parametrize(
    "text", ["]", "#" * 30, "\\", '"', "\\u{0}", "$", "#{", "*/", "`" * 3, "<a>", "\n\n\n", " ", "-" * 300]
)
def test_single_hostile_texts_in_every_field_compile(text):
    assert compile_report(report_data.hostile((text,)), [], RUNS, "pdf").startswith(b"%PDF")


def test_the_same_data_give_the_same_bytes(laptop):
    assert hashlib.sha256(make(report_data.laptop())).digest() == hashlib.sha256(laptop).digest()


def test_title_authors_date_and_language_are_recorded(reader):
    assert reader.metadata.title == "Data-parallel training of small networks"
    assert reader.metadata.author == "A. Student, B. Student"
    assert reader.metadata.creation_date.date().isoformat() == "2026-11-22"
    assert reader.trailer["/Root"]["/Lang"].startswith("en")


def test_it_is_archivable_accessible_and_tagged(reader):
    xmp = reader.trailer["/Root"]["/Metadata"].get_data().decode()
    assert "<pdfaid:part>3</pdfaid:part>" in xmp
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in xmp
    assert "<pdfuaid:part>1</pdfuaid:part>" in xmp
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in reader.trailer["/Root"]


def test_the_outline_names_the_sections(reader):
    titles = [item.title for item in reader.outline if not isinstance(item, list)]
    assert len(titles) == 16
    assert titles[0].endswith("Overview")
    assert titles[-1].endswith("Artifact description")


def test_runs_and_report_are_attached(reader):
    attached = {name: contents[0] for name, contents in reader.attachments.items()}
    assert attached["runs.csv"].decode() == RUNS
    assert json.loads(attached["report.json"]) == json.loads(report_data.laptop().model_dump_json())


def test_every_font_is_embedded(reader):
    fonts = set()
    for page in reader.pages:
        for font in page["/Resources"]["/Font"].values():
            inner = font.get_object().get("/DescendantFonts", [font])[0].get_object()
            descriptor = inner["/FontDescriptor"].get_object()
            fonts.add(str(descriptor["/FontName"]).split("+")[-1])
            assert {"/FontFile", "/FontFile2", "/FontFile3"} & descriptor.keys(), descriptor
    assert {"SourceSans3-Regular", "SourceSans3-SemiBold"} <= fonts
    assert any(name.startswith("LibertinusSerif") for name in fonts)


def test_a_refusal_of_typst_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr("scalestudy.report.pdf.TEMPLATE", tmp_path)
    (tmp_path / "report.typ").write_text('#panic("broken\nhere")')
    with pytest.raises(StudyError, match="study made_up: Typst could not set the report") as caught:
        compile_report(report_data.single(), [], RUNS, "pdf")
    assert "\n" not in str(caught.value)


def test_without_runs_csv_nothing_is_written(tmp_path):
    with pytest.raises(StudyError, match=r"runs\.csv: cannot be read"):
        write_pdf(report_data.single(), [], tmp_path / "runs.csv", tmp_path / "report.pdf")
    assert list(tmp_path.iterdir()) == []

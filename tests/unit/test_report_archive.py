"""What PDF/A-3a and PDF/UA-1 ask of the file, as far as it can be read back: Typst refuses what it can tell itself.

No validator of these standards can be installed from the registries that the project uses: veraPDF is on Maven Central
and conda-forge, and what PyPI has downloads it from elsewhere. So the clauses that the file's structure can tell are
checked here one by one, with their numbers in ISO 19005-3 (A) and ISO 14289-1 (UA). Where ``verapdf`` is installed it
has the last word.
"""

import io
import re
import shutil
import subprocess

import pypdf
import pytest
import report_data

from scalestudy.report.figures import draw_figures
from scalestudy.report.pdf import compile_report
from scalestudy.report.printable import printable


@pytest.fixture(scope="module", params=["whole", "hostile"])
def data(request):
    return getattr(report_data, request.param)()


@pytest.fixture(scope="module")
def figures(data):
    return draw_figures(printable(data))


@pytest.fixture(scope="module")
def pdf(data, figures):
    return compile_report(data, figures, "run\n", "pdf")


@pytest.fixture(scope="module")
def reader(pdf):
    return pypdf.PdfReader(io.BytesIO(pdf))


@pytest.fixture(scope="module")
def root(reader):
    return reader.trailer["/Root"]


@pytest.fixture(scope="module")
def objects(reader):
    """Every dictionary and stream of the file that is reached from its trailer."""
    seen, waiting, found = set(), [reader.trailer], []
    while waiting:
        value = waiting.pop()
        if isinstance(value, pypdf.generic.IndirectObject):
            if value.idnum in seen:
                continue
            seen.add(value.idnum)
            value = value.get_object()
        if isinstance(value, dict):
            found.append(value)
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    assert len(found) > 500
    return found


def elements(root):
    """All structure elements of the document, parents first."""
    waiting = [root["/StructTreeRoot"]]
    while waiting:
        element = waiting.pop()
        yield element
        children = element.get("/K", [])
        children = children if isinstance(children, list) else [children]
        waiting += [child.get_object() for child in children if isinstance(child.get_object(), dict)]


def kinds(root):
    return [str(element["/S"]) for element in elements(root) if "/S" in element]


def test_colors_have_an_output_intent_with_its_profile(root):
    (intent,) = root["/OutputIntents"]
    assert intent["/S"] == "/GTS_PDFA1"
    assert len(intent["/DestOutputProfile"].get_data()) > 100


def test_the_title_is_shown_and_the_language_known(root):
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert root["/Lang"] == "en"


def test_the_file_begins_and_ends_as_an_archive_does(pdf, reader):
    first, second = pdf.splitlines()[:2]
    assert re.fullmatch(rb"%PDF-1\.[4-7]", first)  # A 6.1.2
    assert second[:1] == b"%"
    assert min(second[1:5]) > 127
    assert pdf.rstrip().endswith(b"%%EOF")
    assert len(reader.trailer["/ID"]) == 2  # A 6.1.3


def test_nothing_is_encrypted_scripted_or_taken_from_elsewhere(reader, root, objects):
    assert "/Encrypt" not in reader.trailer  # A 6.1.3
    assert not {"/AcroForm", "/AA", "/Requirements", "/Perms"} & set(root)
    assert "/JavaScript" not in root.get("/Names", {})
    assert "/OpenAction" not in root or "/JS" not in str(root["/OpenAction"])
    for found in objects:
        if isinstance(found, pypdf.generic.StreamObject):
            assert not {"/F", "/FFilter", "/FDecodeParms"} & set(found)  # A 6.1.7.1: no stream lies elsewhere
            assert "/LZWDecode" not in str(found.get("/Filter", ""))  # A 6.1.7.2
        assert not {"/JS", "/AA", "/PostScript"} & set(found)
        if found.get("/Type") == "/Action" or ("/S" in found and "/URI" in found):
            assert found["/S"] in {"/GoTo", "/URI"}  # A 6.5.1


def test_pictures_and_states_are_as_an_archive_wants_them(objects):
    for found in objects:
        if found.get("/Subtype") == "/Image":
            assert not {"/Alternates", "/OPI"} & set(found)  # A 6.2.8
            assert not found.get("/Interpolate", False)
        assert "/TR" not in found or found.get("/Type") != "/ExtGState"  # A 6.2.5
        assert found.get("/Subtype") != "/PS"  # A 6.2.9


def test_every_font_is_embedded_and_its_glyphs_have_their_letters(objects):
    fonts = [found for found in objects if found.get("/Type") == "/Font"]
    assert len(fonts) > 4
    for font in fonts:
        if font["/Subtype"] == "/Type0":
            assert "/ToUnicode" in font  # A 6.2.11.7
            continue
        descriptor = font["/FontDescriptor"]
        assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor)  # A 6.2.11.4
        assert re.fullmatch(r"/[A-Z]{6}\+.+", str(descriptor["/FontName"]))  # a subset names itself as one


def test_the_metadata_says_what_the_file_claims_to_be_and_agrees_with_its_older_form(reader, root):
    stream = root["/Metadata"]
    assert "/Filter" not in stream  # A 6.6.2.1: in the clear
    text = stream.get_data().decode()
    claims = {"pdfaid:part": "3", "pdfaid:conformance": "A", "pdfuaid:part": "1"}
    for name, value in claims.items():
        assert f"<{name}>{value}</{name}>" in text
    assert reader.xmp_metadata.dc_title["x-default"] == reader.metadata.title  # A 6.6.3
    assert reader.metadata.creation_date == reader.xmp_metadata.xmp_create_date.replace(
        tzinfo=reader.metadata.creation_date.tzinfo
    )


def test_all_content_is_marked_as_text_of_the_structure_or_as_ornament(reader):
    for number, page in enumerate(reader.pages):
        assert page["/Tabs"] == "/S" or "/Annots" not in page  # UA 7.18.3
        assert "/StructParents" in page
        marks = []
        for operands, operator in page.get_contents().operations:
            if operator in (b"BDC", b"BMC"):
                marks.append(operands[0] == "/Artifact" or (len(operands) > 1 and "/MCID" in operands[1]))
            elif operator == b"EMC":
                marks.pop()
            elif operator in (b"Tj", b"TJ", b"Do", b"f", b"S"):
                assert any(marks), (number, operator)  # UA 7.1
        assert marks == []


def test_structure_elements_are_of_the_standard_kinds(root):
    standard = {
        *("/Document", "/Part", "/Sect", "/Div", "/Title", "/P", "/H1", "/H2", "/H3", "/L", "/LI", "/Lbl", "/LBody"),
        *("/Table", "/THead", "/TBody", "/TFoot", "/TR", "/TH", "/TD", "/Caption", "/Figure", "/Formula", "/Link"),
        *("/Reference", "/Note", "/Span", "/Strong", "/Em", "/Code", "/TOC", "/TOCI", "/Quote", "/BlockQuote"),
        *("/NonStruct", "/BibEntry", "/Annot"),
    }
    roles = root["/StructTreeRoot"].get("/RoleMap", {})
    for kind in set(kinds(root)):
        assert kind in standard or str(roles[kind]) in standard, kind  # A 6.7.3.4
    levels = [int(kind[2:]) for kind in kinds(root) if re.fullmatch(r"/H[1-6]", kind)]
    assert max(levels) <= len(set(levels))  # UA 7.4.2: no level is left out


def test_every_formula_and_every_link_says_what_it_is(root):
    for element in elements(root):
        if element.get("/S") == "/Formula":
            assert str(element.get("/Alt", ""))  # UA 7.7


@pytest.mark.skipif(not shutil.which("verapdf"), reason="verapdf is not installed: the clauses above are checked alone")
@pytest.mark.parametrize("flavor", ["3a", "ua1"])
def test_verapdf_finds_the_file_valid(pdf, tmp_path, flavor):
    path = tmp_path / "report.pdf"
    path.write_bytes(pdf)
    command = ["verapdf", "--format", "text", "--flavour", flavor, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("PASS"), done.stdout + done.stderr


def test_every_figure_has_its_alternative_text(root, figures):
    texts = [str(element.get("/Alt", "")) for element in elements(root) if element.get("/S") == "/Figure"]
    assert len(figures) > 2
    for figure in figures:
        assert figure.alt in texts


def test_every_table_has_header_cells_and_every_heading_its_level(root):
    found = kinds(root)
    tables = [element for element in elements(root) if element.get("/S") == "/Table"]
    assert len(tables) > 10
    for table in tables:
        inside = [str(element.get("/S")) for element in elements({"/StructTreeRoot": table})]
        assert "/TH" in inside
        assert "/TD" in inside
    levels = [int(kind[2:]) for kind in found if kind[:2] == "/H" and kind[2:].isdigit()]
    assert {1, 2} <= set(levels)


def test_attachments_name_their_relationship_and_kind(root):
    files = [entry.get_object() for entry in root["/AF"]]
    assert {(str(file["/UF"]), str(file["/AFRelationship"])) for file in files} == {
        ("runs.csv", "/Data"),
        ("report.json", "/Source"),
    }
    kinds_of = {str(file["/UF"]): str(file["/EF"]["/F"]["/Subtype"]) for file in files}
    assert kinds_of == {"runs.csv": "/text/csv", "report.json": "/application/json"}


def test_links_lead_somewhere(root):
    pages = root["/Pages"]["/Kids"]
    links = []
    waiting = [page.get_object() for page in pages]
    while waiting:
        page = waiting.pop()
        waiting += [kid.get_object() for kid in page.get("/Kids", [])]
        links += [note.get_object() for note in page.get("/Annots", [])]
    assert len(links) > 10
    for link in links:
        assert link["/Subtype"] == "/Link"
        assert "/Dest" in link or "/A" in link
        assert link.get("/Contents") or link.get("/StructParent") is not None

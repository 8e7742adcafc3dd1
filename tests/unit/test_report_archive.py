"""What PDF/A-3a and PDF/UA-1 ask of the file, as far as it can be read back: Typst refuses what it can tell itself.

No validator of these standards is in the registries that the project installs from, so the clauses that matter to a
reader are checked here one by one.
"""

import io

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
def root(data, figures):
    pdf = compile_report(data, figures, "run\n", "pdf")
    return pypdf.PdfReader(io.BytesIO(pdf)).trailer["/Root"]


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


def test_nothing_is_encrypted_scripted_or_taken_from_elsewhere(root):
    assert "/AcroForm" not in root
    assert "/JavaScript" not in root.get("/Names", {})
    assert "/OpenAction" not in root or "/JS" not in str(root["/OpenAction"])


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

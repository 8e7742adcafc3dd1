"""German and English say the same: every phrase has its translation, with the same values in it."""

import ast
import io
import itertools
import json
import re
import string
from pathlib import Path
from typing import get_args

import pypdf
import pytest
import report_data
import typst
from synthetic_study import make_study
from typst_prose import faults

import scalestudy.analysis
from scalestudy.analysis.analyze import report_data as analyzed
from scalestudy.analysis.collect import collect
from scalestudy.analysis.compliance import RULES as BENCHMARK_RULES
from scalestudy.analysis.environment import ITEMS
from scalestudy.analysis.language import ENGLISH, GERMAN, LANGUAGES
from scalestudy.analysis.links import METHOD as PROBE_METHOD
from scalestudy.analysis.links import RESAMPLES
from scalestudy.analysis.methods import METHODS
from scalestudy.analysis.rank_lines import Kind
from scalestudy.analysis.rules_costs import FACTORS
from scalestudy.analysis.sentences import RULES
from scalestudy.analysis.wording import PHASE_WORDS, Wording
from scalestudy.records import findings
from scalestudy.records import report as report_records
from scalestudy.report.figures import draw_figures
from scalestudy.report.figures.breakdown import PHASES
from scalestudy.report.pdf import TEMPLATE, compile_report
from scalestudy.report.printable import printable
from scalestudy.spec.catalog import DATASETS, STRATEGIES
from scalestudy.spec.config import ReportSpec

ANALYSIS = Path(scalestudy.analysis.__file__).parent
CAPTIONS = Path(__file__).parents[2] / "workflow" / "captions"
COST = ANALYSIS.parent / "train" / "communication_cost.py"
TEXTS = sorted(path.name for path in ANALYSIS.glob("rules_*.py"))


def fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def phrases_of(path):
    """The string constants of a module that are phrases: those with places for values, and those handed to say()."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        said = isinstance(node, ast.Call) and getattr(node.func, "attr", "") in {"say", "statement"}
        found = node.args[0] if said else node
        text = found.value if isinstance(found, ast.Constant) and isinstance(found.value, str) else ""
        if id(found) not in documentation and text and (said or re.search(r"\{[a-z_]+\}", text)):
            yield text


@pytest.mark.parametrize("name", [*TEXTS, "headlines.py", "wording.py", "evidence.py", "compliance.py"])
def test_every_phrase_of_the_sentences_is_translated(name):
    found = set(phrases_of(ANALYSIS / name)) - {"For {title} under "}
    assert found
    assert [phrase for phrase in found if phrase not in GERMAN.phrases] == []


def test_every_phrase_of_the_figures_is_translated():
    found = {phrase for path in (TEMPLATE.parent / "figures").glob("*.py") for phrase in phrases_of(path)}
    assert [phrase for phrase in found if phrase not in GERMAN.phrases] == []


def test_facts_methods_items_and_rules_are_translated():
    needed = [text for rule in RULES for text in (rule.states, rule.condition)]
    needed += [text for facts in STRATEGIES.values() for text in (facts.replicated, facts.exchanged)]
    needed += [item.title for item in ITEMS] + [rule.title for rule in BENCHMARK_RULES]
    needed += [text for method in METHODS.values() for text in (method.quantity, method.method)]
    needed += [*PHASE_WORDS.values(), *FACTORS.values(), *(phase.title for phase in PHASES)]
    needed += [DATASETS["synthetic"].title, "GPU", "GPUs", "CPU core", "CPU cores", "CPU device", "CPU devices"]
    assert [text for text in needed if text not in GERMAN.phrases] == []


def test_translations_hold_the_same_values():
    assert [text for text, phrase in GERMAN.phrases.items() if fields(text) != fields(phrase)] == []


def test_every_language_has_the_phrases_of_the_template():
    names = {}
    for code in LANGUAGES:
        query = f'#import "language/{code}.typ": phrases\n#metadata(phrases.keys().sorted()) <out>'.encode()
        names[code] = json.loads(typst.query(query, "<out>", field="value", one=True, root=str(TEMPLATE)))
    assert names["en"] == names["de"]
    assert len(names["en"]) > 100


def test_numbers_are_written_as_the_language_has_them():
    assert ENGLISH.number("-1,234.5") == "\u22121,234.5"
    assert GERMAN.number("-1,234.5") == "\u22121.234,5"


def test_whole_numbers_in_a_phrase_have_their_marks():
    assert ENGLISH.say("{n} of {cells} reached it", n=1540, cells=12345) == "1,540 of 12,345 reached it"
    assert GERMAN.say("{n} of {cells} reached it", n=1540, cells=12345) == "das gelang 1.540 von 12.345"
    assert ENGLISH.say("{n} runs", n="2026") == "2026 runs"
    assert Wording(ENGLISH, "GPU").devices(16384) == "16,384 GPUs"


def test_a_text_with_its_values_in_it_is_translated_with_them():
    refused = "needs speedups on 4 different device counts above 1, found 2 (2, 4 devices)"
    assert (
        GERMAN.render(refused)
        == "nötig sind Speedups für 4 verschiedene Gerätezahlen über 1, gefunden: 2 (2, 4 Geräte)"
    )
    lacking = "needs speedups on 4 different device counts above 1, found no such count"
    assert GERMAN.render(lacking) == "nötig sind Speedups für 4 verschiedene Gerätezahlen über 1, gefunden: keine"
    note = "no interval: the base has fewer than 3 completed runs"
    assert GERMAN.render(note) == "kein Intervall: die Basis hat weniger als 3 beendete Läufe"
    assert GERMAN.render("needs cells with measured phases on 2 different device counts above 1, found 2").startswith(
        "nötig"
    )
    assert GERMAN.render("RuntimeError: {weather}") == "RuntimeError: {weather}"
    assert ENGLISH.render(refused) == refused


def test_reasons_are_german_and_the_messages_of_programs_stay_as_they_are():
    assert GERMAN.reason("not started") == "nicht begonnen"
    assert GERMAN.reason("no result; stopped after epoch 3") == "kein Ergebnis; nach Epoche 3 stehen geblieben"
    lines = "runs/a/ranks/rank1.jsonl: is missing; the run has 2 ranks"
    assert GERMAN.reason(lines) == "runs/a/ranks/rank1.jsonl: fehlt; der Lauf hat 2 Prozesse"
    more = "runs/a/ranks/rank0.jsonl:7: is not an event line (and 3 more)"
    assert GERMAN.reason(more) == "runs/a/ranks/rank0.jsonl:7: ist keine Ereigniszeile (und 3 weitere)"
    cost = "exposed communication: not told apart from computing; cost: the runs did not measure it"
    expected = "nicht überdeckte Kommunikation: vom Rechnen nicht getrennt; Kosten: die Läufe haben sie nicht gemessen"
    assert GERMAN.reason(cost) == expected
    message = "RuntimeError: 3 of 4 ranks did not agree with rank 0"
    assert GERMAN.reason(message) == message
    assert GERMAN.reason(f"no result; rank0: {message}") == f"kein Ergebnis; rank0: {message}"


def texts_of(node):
    """What an expression can be as a text: every choice in it taken, ``7`` for any other value in it; None: no text."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else None
    if isinstance(node, ast.FormattedValue):
        return texts_of(node.value) or ["7"]
    if isinstance(node, ast.JoinedStr):
        return ["".join(parts) for parts in itertools.product(*map(texts_of, node.values))]
    if isinstance(node, ast.IfExp):
        return (texts_of(node.body) or ["7"]) + (texts_of(node.orelse) or ["7"])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):  # "s" * (n > 1)
        return ["", *texts_of(node.left)] if texts_of(node.left) else None
    return None


def said_by(path, *functions):
    """Every text of several words that a module, or functions of it, can make, but documentation and misuse."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if functions:
        own = [node for node in ast.walk(tree) if getattr(node, "name", "") in functions]
        assert len(own) == len(functions)
        tree = ast.Module(own, [])
    left_out = set()
    for node in ast.walk(tree):
        raised = isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"ValueError", "RuntimeError"}
        documentation = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        part = isinstance(node, ast.JoinedStr | ast.IfExp | ast.BinOp)
        if raised or documentation or part:
            left_out |= {id(child) for child in ast.walk(node) if child is not node}
        if documentation:
            left_out.add(id(node.value))
    for node in ast.walk(tree):
        if id(node) not in left_out:
            yield from (text for text in texts_of(node) or [] if re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}", text))


def choices():
    """The words that the models of the records choose from: the template has them in every language."""
    for model in (*vars(findings).values(), *vars(report_records).values()):
        for field in getattr(model, "model_fields", {}).values():
            yield from (choice for choice in get_args(field.annotation) if isinstance(choice, str))


SOURCE = ANALYSIS.parent
SPEAKING = [
    *(path for path in ANALYSIS.glob("*.py") if path.name not in {*TEXTS, "compare.py", "ask.py", "statistics.py"}),
    *(SOURCE / "train" / "strategies").glob("*.py"),
    COST,
    SOURCE / "train" / "job.py",
    SOURCE / "records" / "events.py",
]
"""The modules whose texts reach a report, as reasons, notes or problems. The sentences are looked at above; what two
studies give and what is asked of one stands in the terminal, and methods of statistics have their words in METHODS."""
TERMINAL = "7: strategy 7 of 7 is unknown; known: 7"
"""Ends the analysis; there is no report then."""


def test_no_phrase_stands_twice_in_its_part_where_the_last_would_win_in_silence():
    def once(pairs):
        assert len(dict(pairs)) == len(pairs), [name for name, _ in pairs]
        return dict(pairs)

    for path in (SOURCE / "analysis" / "language").glob("*.json"):
        assert json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=once)


@pytest.mark.parametrize("path", SPEAKING, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_text_that_reaches_a_report_has_its_german(path):
    named = {*get_args(Kind), *METHODS, *(method.source for method in METHODS.values())}
    other = {*choices(), *named, TERMINAL, PROBE_METHOD.replace(str(RESAMPLES), "7")}
    texts = set(said_by(path)) - other
    assert [text for text in texts if text not in GERMAN.phrases and GERMAN.reason(text) == text] == []


def test_every_reason_for_a_combination_left_out_has_its_german():
    found = set(said_by(SOURCE / "spec" / "expand.py", "_automatic_devices", "_limits", "_resolved", "notes_on"))
    assert len(found) > 7
    assert [text for text in found if text not in GERMAN.phrases and GERMAN.reason(text) == text] == []
    whole = "note: auto: takes 1 of 2 devices per node (a batch of net has 1 image to share); name layouts to "
    expected = "Hinweis: auto: nimmt 1 von 2 Geräten je Knoten (ein Batch von net hat 1 Bild zu teilen); mehr "
    assert GERMAN.reason(f"{whole}take more") == f"{expected}nimmt, wer Anordnungen nennt"


def test_every_reason_for_a_file_not_read_has_its_german():
    found = set(said_by(SOURCE / "records" / "files.py", "read_bytes"))
    assert "7: is a link to a file that is not there" in found
    assert [text for text in found if GERMAN.reason(text) == text] == []


def test_the_texts_of_the_modules_are_found():
    found = {text for path in SPEAKING for text in said_by(path)}
    assert found >= {"damaged record", "7:7: is not an event line", "no result; stopped after epoch 7"}
    assert len(found) > 150


@pytest.fixture(scope="module")
def german_with_damage(tmp_path_factory):
    study = make_study(
        tmp_path_factory.mktemp("damage"),
        failures={
            "mnist/epoch/ddp-1x2/seed0": "missing",
            "mnist/epoch/ddp-1x2/seed1": "truncated",
            "mnist/epoch/ddp-1x2/seed2": "failed",
        },
        words=ReportSpec(language="de"),
    )
    ranks = next(study.results.glob("runs/mnist/epoch/ddp-2x4/seed0/ranks"))
    (ranks / "rank1.jsonl").unlink()
    return analyzed(collect(study.results))


def test_what_is_missing_or_damaged_is_said_in_german(german_with_damage):
    data = german_with_damage
    pdf = compile_report(data, [], "run\n", "pdf")
    text = " ".join(" ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages).split())
    reasons = {row.reason for row in data.runs if row.outcome == "missing"}
    assert "damaged record" in reasons
    for english in reasons | {line for line in data.problems if "rank1.jsonl" in line}:
        assert GERMAN.reason(english) != english
    assert "beschädigte Aufzeichnung" in text
    assert "fehlt; der Lauf hat" in text
    for english in ("not started", "damaged record", "stopped after epoch", "is missing; the run has", "no result"):
        assert english not in text


@pytest.fixture(scope="module")
def german(tmp_path_factory):
    folder = tmp_path_factory.mktemp("german")
    study = make_study(
        folder,
        scalings=("strong", "weak"),
        failures={"mnist/strong/ddp-2x4/seed1": "failed"},
        words=ReportSpec(language="de", title="Studie"),
    )
    return analyzed(collect(study.results))


def test_the_sentences_of_a_german_report_are_german(german):
    texts = {row.rule: row.text for row in german.sentences}
    assert "beendet" in texts["R1"]
    assert re.search(r"Eine Epoche dauert 1,14 s statt 8,00 s, ein Speedup von \*\*7,02×\*\*", texts["R2"]) or any(
        "ein Speedup von **7,02×**" in row.text for row in german.sentences
    )
    words = re.findall(r"[A-Za-z]+", " ".join(texts.values()))
    assert not {"the", "with", "speedup", "runs", "takes", "interval"} & set(words)
    assert german.device_plural == "CPU-Kerne"


def test_a_german_report_is_set_in_german_with_decimal_commas(german):
    pdf = compile_report(german, draw_figures(printable(german)), "run\n", "pdf")
    reader = pypdf.PdfReader(io.BytesIO(pdf))
    text = " ".join(page.extract_text() for page in reader.pages)
    assert reader.trailer["/Root"]["/Lang"] == "de"
    for word in ("Zusammenfassung", "Tabelle", "Abbildung", "Anhang", "Vorhersage", "7,02"):
        assert word in text
    fastest = next(row for row in german.speedup if row.fastest)
    assert f"{fastest.speedup:.2f}" not in text
    assert " the " not in re.sub(r"Scientific Benchmarking[^.]*\.", "", text)


def test_the_prose_of_the_template_stands_in_its_languages_and_holds_no_digit_nor_do_captions():
    for path in (TEMPLATE / "language").glob("*.typ"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not re.search(r"\d", line.replace("SHA-256", "")), f"{path.name}: {line}"
    captions = list(CAPTIONS.rglob("*.rst"))
    assert {path.parent.name for path in captions} == set(LANGUAGES)
    for path in captions:
        text = path.read_text(encoding="utf-8").replace("SHA-256", "").replace('.split("-", 1)', "")
        assert re.findall(r".*\d.*", text) == [], path
    for path in TEMPLATE.rglob("*.typ"):
        if path.parent.name != "language":
            assert faults(path.read_text(encoding="utf-8"), NO_PROSE) == [], path.name


NO_PROSE = {
    "Libertinus Serif",
    "Source Sans 3",
    "DejaVu Sans",
    "DejaVu Sans Mono",
    "git checkout ",
    "make run STUDY=",
    "snakemake --cores all",
    "snakemake --profile slurm",
    " --config study=",
    "sha256sum results/",
    "not shown",
}
"""Strings of the template with two words in a row: fonts, commands and a word of the records."""


@pytest.mark.parametrize(
    "source",
    [
        "Nothing was measured here.",
        "#let a = 1\nAbove 80% of it.",
        "#figure(caption: [Times of #emph[every run] in the study])[]",
        "#if x [#text(fill: gray)[very small numbers]] else []",
        '#text("Nothing was measured")',
        "#text(weight: 600)[over 4 nodes]",
        "#{ let x = [deep #strong[inside, the words] ] }",
        "#for x in y [\n  == The heading here\n]",
        "a // not this\nbut these words",
        '#let f(x) = {\n  if x { "two words" }\n}',
    ],
)
def test_prose_and_digits_are_found_wherever_a_template_has_them(source):
    assert faults(source)


@pytest.mark.parametrize(
    "source",
    [
        "// Some words of a comment 1\n#say.title",
        "#let width = 62pt + 0.5 * (4 - 1)\n= #say.title <app-one>",
        "#grid(columns: (1fr, 2fr), [#say.a], [#say.b – #n×#m])",
        "`{name: ddp, label: compressed}` @app-rules",
        '#text(font: "DejaVu Sans")[#x]',
    ],
)
def test_names_numbers_of_code_and_comments_are_no_prose(source):
    assert faults(source, NO_PROSE) == []


def test_memory_has_a_decimal_comma_in_a_german_report(german):
    (memory,) = (row for row in german.environment if row.key == "Memory")
    assert (memory.value, memory.found) == ("64,0 GiB", "64.0 GiB")


def test_no_english_stands_in_the_sources_of_methods():
    assert [method.source for method in METHODS.values() if " after " in method.source] == []


def test_every_figure_of_a_german_report_has_german_words(german):
    drawn = {figure.name: figure for figure in draw_figures(printable(german))}
    assert "Trainingsverlust" in drawn["curves-strong"].svg.decode()
    assert "Effizienz" in drawn["scaling-weak"].svg.decode()
    assert "vorwärts" in drawn["breakdown-strong"].svg.decode()
    assert "Gerätesekunden" in drawn["breakdown-strong"].alt


def test_no_code_of_the_template_swallows_a_semicolon_of_its_prose():
    found = [
        line
        for path in (TEMPLATE / "language").glob("*.typ")
        for line in re.findall(r"#(?:if|for|let) [^\[\n]*\[[^\]]*\];.*", path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_an_english_report_of_the_same_data_is_english():
    data = report_data.laptop()
    assert "Training loss" in draw_figures(data)[1].svg.decode()

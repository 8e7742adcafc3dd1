"""Text in config.yaml is never code: every field that takes text is found in the models and given hostile text.

A field either refuses it, in lines that name the field, or takes it as it is: then it stands literally wherever the
PDF and the pages of HTML show it. A new field is covered by being there.
"""

import copy
import io
import re
import types
from html.parser import HTMLParser
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pypdf
import pytest
from docutils.core import publish_parts
from jinja2 import Environment
from pydantic import BaseModel
from synthetic_study import result_of, write_run

from scalestudy.analysis.analyze import report_data
from scalestudy.analysis.collect import collect
from scalestudy.analysis.language import LANGUAGES
from scalestudy.analysis.tables import write_tables
from scalestudy.errors import StudyError
from scalestudy.records.files import write_model
from scalestudy.records.paths import RunPaths, StudyPaths
from scalestudy.report.captions import words
from scalestudy.report.figures import draw_figures
from scalestudy.report.pdf import compile_report
from scalestudy.report.printable import printable
from scalestudy.report.tables import write_table_pages
from scalestudy.spec.config import Config
from scalestudy.spec.expand import expand
from scalestudy.spec.layouts import Machine
from scalestudy.spec.options import DATASET_OPTIONS, MODEL_OPTIONS, STRATEGY_OPTIONS
from scalestudy.spec.reading import check

HOSTILE = {
    "typst": '#eval("1+1") $x^2$ *bold* _it_ @ref = // comment',
    "html": "</script><script>alert(1)</script> <b>&amp; ]]>",
    "rst": "`a`_ |x| **b** :raw:`y` .. include:: /etc/passwd",
    "shell": "$(touch hacked); rm -rf / | `id` > x && 'y' \"z\"",
    "jinja": "{{ 7 * 7 }}{% for x in y %}",
    "terminal": "[bold red]x[/] \\u{41} \\",
}
ALL = " ".join(HOSTILE.values())
EXAMPLE: dict[str, Any] = {
    "study": "s",
    "report": {
        "title": "t", "subtitle": "t", "authors": ["a"], "course": "c", "overview": "o", "discussion": "d",
        "conclusion": "c", "published": [{"source": "s", "speedups": [1.5], "setting": "x"}],
    },
    "machine": {"device": "cpu", "nodes": 1, "devices_per_node": 2},
    "cluster": {},
    "data": {},
    "container": {},
    "workloads": {
        "w": {
            "data": {"name": "synthetic", "options": {"train": 6400}},
            "model": {"name": "slow_models:SlowOnOneRank", "options": {}},
            "optimizer": {"name": "sgd", "lr": 0.1},
            "epochs": 3,
        }
    },
    "studies": {
        "s": {"workloads": ["w"], "strategies": ["serial", {"name": "ddp", "layouts": ["1x2"]}], "seeds": [1, 2]},
    },
}  # fmt: skip
Place = tuple[str, ...]
"""Where a text stands: keys, ``[]`` for any item of a list, ``*`` for the value of any name, ``<name>`` for a name."""


def texts(kind: Any, place: Place = ()) -> list[Place]:
    """All places below a type of the models at which text may be given."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return texts(inner[0], place)
    if origin in (Union, types.UnionType):
        return list(dict.fromkeys(found for one in inner for found in texts(one, place)))
    if origin is list:
        return texts(inner[0], (*place, "[]"))
    if origin is dict:
        return [(*place, "<name>"), *texts(inner[1], (*place, "*"))]
    if origin is Literal or kind in (str, Any):
        return [place]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.__pydantic_fields__.items()
        return [found for name, field in fields for found in texts(field.annotation, (*place, name))]
    return []


def placed(config: Any, place: Place, text: str) -> Any:
    """The configuration with the text at this place; what the example lacks on the way is made."""
    if not place:
        return text
    key, *rest = place
    if key == "[]":
        first, *others = config if isinstance(config, list) and config else [None]
        return [placed(first, tuple(rest), text), *others]
    mapping = dict(config) if isinstance(config, dict) else {}
    if key == "<name>":
        name = next(iter(mapping), "x")
        return {text if known == name else known: value for known, value in ({name: 1} | mapping).items()}
    name = next(iter(mapping), "x") if key == "*" else key
    return mapping | {name: placed(mapping.get(name), tuple(rest), text)}


PLACES = texts(Config)
SHOWN = [place for place in PLACES if place[0] == "report" and place[-1] != "language"]
SHOWN += [("workloads", "*", "title")]
"""Texts that the report is there to show."""


def accepted(config: dict[str, Any]) -> bool:
    """Whether a configuration is taken; a refusal is checked to be lines of printable text that name the file."""
    try:
        expand(check(config, "config.yaml"), Machine(device="cpu", devices=2, cores=2))
    except StudyError as error:
        lines = str(error).split("\n")
        assert all(line.startswith("config.yaml: ") and line.isprintable() for line in lines)
        assert all(len(line) < 500 for line in lines)
        return False
    return True


def test_the_example_is_right_and_the_models_are_found_whole():
    assert accepted(EXAMPLE)
    found = {".".join(place) for place in PLACES}
    assert {
        "report.title", "report.authors.[]", "report.published.[].source", "workloads.*.title", "studies.<name>",
        "workloads.*.data.options.*", "studies.*.strategies.[].layouts.[]", "container.build_options.[]", "data.folder",
        "machine.device", "studies.*.strategies.[]",
    } <= found  # fmt: skip
    assert len(found) > 45


@pytest.mark.parametrize("syntax", HOSTILE)
@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_a_field_takes_hostile_text_as_it_is_or_refuses_it_in_a_line(place, syntax):
    taken = accepted(placed(copy.deepcopy(EXAMPLE), place, HOSTILE[syntax]))
    assert taken or place not in SHOWN


@pytest.mark.parametrize(
    ("name", "model"),
    [*STRATEGY_OPTIONS.items(), *DATASET_OPTIONS.items(), *MODEL_OPTIONS.items()],
)
def test_options_of_the_catalog_take_no_free_text(name, model):
    for place in texts(model):
        for text in HOSTILE.values():
            with pytest.raises(ValueError, match=place[0]):
                model.model_validate({place[0]: text})


def mark(number: int) -> str:
    """What tells the texts of the fields apart."""
    return f"ZQ{number:03d}Z"


def hostile_config() -> tuple[dict[str, Any], dict[Place, str]]:
    """The example with hostile text in every field that takes it, and the texts."""
    config, given = copy.deepcopy(EXAMPLE), {}
    for number, place in enumerate(PLACES):
        text = f"{mark(number)} {ALL}"
        changed = placed(config, place, text)
        if accepted(changed):
            config, given[place] = changed, text
    return config, given


@pytest.fixture(scope="module", params=["en", "de"])
def shown(request, tmp_path_factory):
    """A finished study of the hostile configuration: its folder, and the texts that were given."""
    config, given = hostile_config()
    config["report"]["language"] = request.param
    study = expand(check(config, "config.yaml"), Machine(device="cpu", devices=2, cores=2))
    paths = StudyPaths(tmp_path_factory.mktemp("hostile") / study.name)
    write_model(paths.study, study)
    for run in study.runs:
        result = result_of(run, time_s=8 / run.cell.devices, compute_s=8 / run.cell.devices, accuracy=0.9)
        write_run(RunPaths.of(paths.results, run), run, result)
    return paths, given


def without_spaces(text):
    """The text without white space, soft hyphens and ligatures, which typesetting puts in."""
    for ligature, letters in {"ﬁ": "fi", "ﬂ": "fl", "ﬀ": "ff", "ﬃ": "ffi", "ﬄ": "ffl"}.items():
        text = text.replace(ligature, letters)
    return re.sub(r"[\s\u00ad]+", "", text)


def assert_literal(shown_text, given, wanted):
    """Each text stands as it was given wherever it begins, whole or cut off at a ``…``; the wanted ones stand there."""
    shown_text = without_spaces(shown_text)
    for number, place in enumerate(PLACES):
        if place in given:
            text = without_spaces(given[place])
            found = [one.start() for one in re.finditer(mark(number), shown_text)]
            for start in found:
                same = next((n for n, letter in enumerate(text) if shown_text[start + n] != letter), len(text))
                assert same == len(text) or shown_text[start + same] == "…", place
            assert text in shown_text or place not in wanted, place


def test_every_text_of_the_configuration_is_literal_in_the_pdf(shown):
    paths, given = shown
    assert len(given) > len(SHOWN) > 8
    data = report_data(collect(paths.results))
    pdf = compile_report(data, draw_figures(printable(data)), "run\n", "pdf")
    text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)
    # the course is set in capitals, so it is looked for apart
    course = ("report", "course")
    assert without_spaces(given[course].upper()) in without_spaces(text)
    assert_literal(text, {place: value for place, value in given.items() if place != course}, SHOWN)


class Page(HTMLParser):
    """The text of a page, and its tags."""

    def __init__(self, source):
        super().__init__()
        self.text, self.tags = "", set()
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)

    def handle_data(self, data):
        self.text += data


def test_every_text_of_the_configuration_is_literal_in_the_pages_of_html(shown, tmp_path):
    paths, given = shown
    data = report_data(collect(paths.results))
    write_tables(StudyPaths(tmp_path), data, "run\n", data.workloads)
    write_table_pages(tmp_path / "tables", tmp_path / "pages")
    for path in (tmp_path / "pages").iterdir():
        page = Page(path.read_text(encoding="utf-8"))
        assert not page.tags & {"script", "b", "a", "img"}
        assert_literal(page.text, given, [])


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_text_of_the_configuration_is_literal_in_the_caption_of_the_workflow(shown, code):
    paths, given = shown
    study = collect(paths.results).study
    caption = (Path(__file__).parents[2] / "workflow" / "captions" / code / "workflow.rst").read_text(encoding="utf-8")
    snakemake = {"config": {"words": words(study)}}
    source = Environment().from_string(caption).render(snakemake=snakemake)
    settings = {"report_level": 1, "halt_level": 2}
    page = Page(publish_parts(source, writer="html", settings_overrides=settings)["body"])
    assert not page.tags & {"script", "b", "a", "img"}
    in_caption = ("title", "subtitle", "authors", "course")
    wanted = [place for place in SHOWN if place[0] == "report" and place[1] in in_caption]
    assert len(wanted) == len(in_caption)
    assert_literal(page.text, given, wanted)

"""Errors of the configuration models in words: pydantic's kinds of errors become lines that a student understands."""

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from scalestudy.spec.base import SpecModel
from scalestudy.spec.config import FOLDER_PATTERN, LAYOUT_PATTERN
from scalestudy.spec.container import BIND_PATTERN, DIGEST_PATTERN, IMAGES_PATTERN, VARIABLE_PATTERN
from scalestudy.spec.messages import Key, Problem, one_of, show_value, suggestion
from scalestudy.spec.options import NoOptions
from scalestudy.spec.yaml_text import show_text


def problems(error: ValidationError, model: type[SpecModel], prefix: Key = ()) -> list[Problem]:
    """Every error of a model as a problem; ``prefix`` is the key below which the model stands."""
    schema = model.model_json_schema()
    details = [Detail(dict(one), _clean(one["loc"]), schema) for one in error.errors(include_url=False)]
    meant = {(*one.key[:-1], name) for one in details if one.kind == "extra_forbidden" for name in _close(one)}
    said = [one for one in details if not (one.kind == "missing" and one.key in meant)]
    return [Problem((*prefix, *one.key), _WORDS.get(one.kind, _unforeseen)(one)) for one in said]


def option_problems(
    models: dict[str, type[SpecModel]], name: str, options: dict[str, Any], key: Key
) -> Iterator[Problem]:
    """What is wrong with the options of something that the catalog names; ``key`` is theirs."""
    model = models.get(name, NoOptions)
    if model is NoOptions and options:
        yield Problem((*key, next(iter(options))), f"unknown key; {name} has no options")
        return
    try:
        model.model_validate(options)
    except ValidationError as error:
        yield from problems(error, model, key)


def _clean(loc: tuple[str | int, ...]) -> Key:
    """Without the marks of unions (``<name>``) and of mapping keys (``[key]``)."""
    return tuple(p for p in loc if not (isinstance(p, str) and (p == "[key]" or re.fullmatch(r"<[a-z]+>", p))))


@dataclass(frozen=True)
class Detail:
    """One error as pydantic gives it, with the schema that says what would have been right."""

    error: dict[str, Any]
    key: Key
    schema: dict[str, Any]

    @property
    def kind(self) -> str:
        """Which kind of error it is, as pydantic names it."""
        return str(self.error["type"])

    @property
    def value(self) -> Any:
        """What was found."""
        return self.error["input"]

    @property
    def limit(self) -> dict[str, Any]:
        """Bounds and choices."""
        context: dict[str, Any] = self.error.get("ctx", {})
        return context

    @property
    def is_key(self) -> bool:
        """Whether the error is about a name of a mapping and not its value."""
        return "[key]" in self.error["loc"]

    def node(self, key: Key) -> dict[str, Any]:
        """The part of the JSON schema that describes a key; empty where there is none."""
        nodes = [self.schema]
        for part in key:
            nodes = [child for node in nodes for child in _children(self.schema, node, part)]
        return nodes[0] if nodes else {}


def _variants(schema: dict[str, Any], node: dict[str, Any]) -> list[dict[str, Any]]:
    """A node with references resolved and unions opened."""
    if "$ref" in node:
        return _variants(schema, schema["$defs"][node["$ref"].rpartition("/")[2]])
    members = node.get("oneOf") or node.get("anyOf")
    return [leaf for member in members for leaf in _variants(schema, member)] if members else [node]


def _children(schema: dict[str, Any], node: dict[str, Any], part: str | int) -> list[dict[str, Any]]:
    found = []
    for leaf in _variants(schema, node):
        if isinstance(part, int):
            found += [leaf["items"]] if "items" in leaf else []
        elif part in leaf.get("properties", {}):
            found.append(leaf["properties"][part])
        else:
            found += list(leaf.get("patternProperties", {}).values())
    return found


def _keys(detail: Detail, key: Key) -> list[str]:
    return [name for leaf in _variants(detail.schema, detail.node(key)) for name in leaf.get("properties", {})]


def _close(detail: Detail) -> list[str]:
    """The key that a misspelled one was meant to be: that it is missing need not be said again."""
    return difflib.get_close_matches(str(detail.key[-1]), _keys(detail, detail.key[:-1]), n=1)


def _missing(detail: Detail) -> str:
    meaning = detail.node(detail.key).get("description", "").replace("``", "'").replace("\n", " ")
    return "missing; must be given" + (f": {meaning}" if meaning else "")


def _unknown(detail: Detail) -> str:
    return f"unknown key; {suggestion(str(detail.key[-1]), _keys(detail, detail.key[:-1]))}"


_SYNONYMS = {"gpu": "cuda", "gpus": "cuda", "bf16": "bfloat16", "fp32": "float32", "nhwc": "channels_last"}


def _choice(detail: Detail) -> str:
    choices = re.findall(r"'([^']*)'", detail.limit["expected"])
    if "<word>" in detail.error["loc"]:
        return f"found {show_value(detail.value)}; must be a whole number or auto"
    if not isinstance(detail.value, str):
        return f"found {show_value(detail.value)}; must be {one_of(choices)}"
    meant = [word for word in (_SYNONYMS.get(detail.value.lower()),) if word in choices]
    close = meant or difflib.get_close_matches(detail.value.lower(), choices, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return f"found {show_text(detail.value)}; must be {one_of(choices)}{hint}"


def _pattern(detail: Detail) -> str:
    if right := _FORMS.get(detail.limit["pattern"]):
        return f"found {show_text(detail.value)}; must be {right}"
    right = "a name must start with a letter and hold only letters, digits and _, at most 60"
    return f"{'this name cannot be used' if detail.is_key else 'found ' + show_text(detail.value)}; {right}"


_FORMS = {
    LAYOUT_PATTERN: "nodes x devices per node such as 2x4, auto or doubling",
    FOLDER_PATTERN: "a path without ~, which is another folder in the image",
    DIGEST_PATTERN: "sha256: and 64 digits from 0 to f, or left out",
    IMAGES_PATTERN: "a folder, without braces, ~ and a / at the end",
    BIND_PATTERN: "SOURCE, SOURCE:TARGET or SOURCE:TARGET:ro with an absolute TARGET, without commas",
    VARIABLE_PATTERN: "the name of an environment variable, or its beginning and a *",
}
"""Pattern to the words for it; any other is that of names."""


def _mapping(detail: Detail) -> str:
    keys = _keys(detail, detail.key)
    right = f"with the keys {', '.join(keys)}" if keys else "of names to values, such as 'name: value'"
    return f"found {show_value(detail.value)}; must be a mapping {right}"


def _too_few(detail: Detail) -> str:
    least = detail.limit["min_length"]
    things = "entry" if least == 1 else "entries"
    found = "an empty list" if detail.value == [] else "nothing in it" if not detail.value else f"{len(detail.value)}"
    return f"found {found}; must have at least {least} {things}"


def _must_be(right: str) -> Callable[[Detail], str]:
    """``found X; must be RIGHT``, where right may name a bound."""
    return lambda detail: f"found {show_value(detail.value)}; must be {right.format(**_bounds(detail))}"


def _bounds(detail: Detail) -> dict[str, str]:
    return {name: show_value(value) for name, value in detail.limit.items() if isinstance(value, int | float)}


def _text(detail: Detail) -> str:
    quotes = ", put it in quotes" if isinstance(detail.value, bool | int | float) else ""
    return f"found {show_value(detail.value)}; must be text{quotes}"


def _unforeseen(detail: Detail) -> str:
    return f"found {show_value(detail.value)}; {detail.error['msg'][:1].lower()}{detail.error['msg'][1:]}"


_WHOLE = _must_be("a whole number")
_NUMBER = _must_be("a number")
_TOGGLE = _must_be("true or false")

_WORDS: dict[str, Callable[[Detail], str]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "literal_error": _choice,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _must_be("a finite number"),
    "bool_type": _TOGGLE,
    "bool_parsing": _TOGGLE,
    "string_type": _text,
    "string_too_short": _must_be("given"),
    "string_pattern_mismatch": _pattern,
    "greater_than": _must_be("greater than {gt}"),
    "greater_than_equal": _must_be("at least {ge}"),
    "less_than": _must_be("less than {lt}"),
    "less_than_equal": _must_be("at most {le}"),
    "too_short": _too_few,
    "too_long": lambda d: f"found {len(d.value)} entries; must have at most {d.limit['max_length']}",
    "list_type": _must_be("a list, such as [a, b]"),
    "dict_type": _mapping,
    "model_type": _mapping,
}
"""Kind of error, as pydantic names it, to the words for it."""

"""YAML text to plain data: mappings, lists, text, numbers, true, false, nothing. Never objects.

Scalars are read as YAML 1.2 reads them, as editors do: ``1e-3`` is a number, ``yes`` and ``1:30`` are text.
"""

import re
from typing import Any

import yaml
from yaml.nodes import MappingNode, ScalarNode

from scalestudy.errors import StudyError

MAX_DEPTH = 20
MAX_VALUES = 100_000


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader without its YAML 1.1 surprises, which refuses a key that stands twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}
    yaml_constructors = {
        tag: constructor
        for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] in {"null", "bool", "float", "str", "seq", "map"}
    }

    def compose_mapping_node(self, anchor: Any) -> MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, ScalarNode):
                line = key.start_mark.line + 1
                if key.value in seen:
                    problem = f"the key {show_text(key.value)} stands here and in line {seen[key.value]}; give it once"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
                seen[key.value] = line
        return node


def _whole_number(loader: yaml.SafeLoader, node: ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    return int(text, 0) if text[:2] in {"0x", "0o"} else int(text)


_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)
for _kind, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+0123456789."),
    ),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_pattern})$"), _first)


def parse(text: str, source: str) -> Any:
    """The data of one YAML document.

    Raises StudyError with the line for text that is not YAML, keys that stand twice, and data that refers to itself.
    """
    try:
        data = yaml.load(text, Loader=_Loader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise StudyError(f"{source}: line {line}: holds a character that YAML does not allow; remove it") from error
    except yaml.MarkedYAMLError as error:
        raise StudyError(f"{source}: {_where(error)}{_explain(error)}") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise StudyError(f"{source}: is not YAML: {show_text(str(error))}") from error
    except RecursionError as error:
        raise StudyError(f"{source}: is nested too deeply; at most {MAX_DEPTH} levels are right") from error
    _check_tree(data, source)
    return data


def show_text(text: str) -> str:
    """Text in quotes on one line, shortened."""
    shown = text if len(text) <= 60 else text[:57] + "..."
    return f'"{shown}"' if shown.isprintable() else ascii(shown)


def _where(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f"line {mark.line + 1}: " if mark else ""


_HINTS = {
    "found character '\\t'": "a tab where only spaces may stand; indent with spaces",
    "mapping values are not allowed here": "a colon where none may stand; check the indentation, the space after each "
    "colon, and put text that holds a colon in quotes",
    "could not determine a constructor": "a tag (!...) that is not known here; leave it out",
    "but found another document": "a second document (---) in one file; keep one",
    "found undefined alias": "an alias (*name) without its anchor (&name) above",
    "could not find expected ':'": "a key without its colon; write 'key: value'",
    "found unhashable key": "a list or mapping as a key; a key must be a name",
}


def _explain(error: yaml.MarkedYAMLError) -> str:
    problem = str(error.problem or error.context or "cannot be read")
    for start, hint in _HINTS.items():
        if problem.startswith(start):
            return hint
    return problem if problem.startswith("the key") else f"is not YAML: {ascii(problem)[1:-1]}"


def _check_tree(data: Any, source: str) -> None:
    """Refuse what JSON cannot hold: data that contains itself, grows without bound, or has keys that are not text."""
    count = 0
    stack = [(data, 0)]
    while stack:
        value, depth = stack.pop()
        count += 1
        if depth > MAX_DEPTH or count > MAX_VALUES:
            raise StudyError(
                f"{source}: is nested too deeply or refers to itself; at most {MAX_DEPTH} levels are right"
            )
        if isinstance(value, dict):
            for key in value:
                if not isinstance(key, str):
                    raise StudyError(f"{source}: found the key {key!r}; a key must be a name, put it in quotes")
            stack += [(text, depth) for text in value]
            stack += [(child, depth + 1) for child in value.values()]
        elif isinstance(value, list):
            stack += [(child, depth + 1) for child in value]
        elif isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
            raise StudyError(f"{source}: found {value[:40]!a}; text must be Unicode without lone surrogates")

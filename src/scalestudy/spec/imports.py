"""Import paths ``package.module:Name``: looked at without importing, since importing would load torch."""

import ast
import re
import sys
from collections.abc import Iterable
from importlib.machinery import ModuleSpec
from pathlib import Path

from scalestudy.spec.messages import suggestion
from scalestudy.spec.module_search import way_to

PATTERN = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


def import_problem(text: str, folder: Path | None = None) -> str | None:
    """What is wrong with an import path, or None.

    Modules are looked for in ``folder`` (the current one) and then where Python looks. The module's text is parsed for
    the name; a compiled module, and one that makes its names while it is imported, gets the benefit of the doubt. So
    does an installed library on a host without torch, where only the container has what trains.
    """
    if not PATTERN.fullmatch(text):
        return f'found "{text}"; must be an import path such as mypackage.module:Name'
    module, _, name = text.partition(":")
    parts = module.split(".")
    found = way_to(module, [str(folder or Path.cwd()), *sys.path], sys.meta_path)
    if not found and not way_to("torch", sys.path, sys.meta_path):
        return None
    if len(found) < len(parts):
        missing = ".".join(parts[: len(found) + 1])
        return f'found "{text}"; there is no module {missing}, looked for in the current folder and where Python looks'
    return _name_problem(text, name, found[-1])


def _name_problem(text: str, name: str, spec: ModuleSpec) -> str | None:
    if spec.origin is None and spec.submodule_search_locations:
        return f'found "{text}"; {text.partition(":")[0]} is a folder, and a module (a .py file) in it must be named'
    if not spec.origin or not spec.origin.endswith(".py"):
        return None
    try:
        tree = ast.parse(Path(spec.origin).read_bytes())
    except SyntaxError as error:  # without a line for a NUL byte and an unknown encoding
        what = f"has a syntax error in line {error.lineno}" if error.lineno else f"is not Python text: {error.msg}"
        return f'found "{text}"; {spec.origin} {what}'
    except (OSError, ValueError) as error:  # the second of a NUL byte, before Python 3.11.4
        what = "cannot be read" if isinstance(error, OSError) else "is not Python text"
        return f'found "{text}"; {spec.origin} {what}: {error}'
    names = set(_names(tree.body))
    if name in names or "*" in names or "__getattr__" in names:
        return None
    public = sorted(n for n in names if not n.startswith("_"))
    return f'found "{text}"; {spec.origin} has no {name}; {suggestion(name, public[:20])}'


def _names(body: Iterable[ast.stmt]) -> Iterable[str]:
    """Names that a module's top level binds; ``*`` where it takes all of another module."""
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Import() | ast.ImportFrom():
                yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
            case ast.If() | ast.Try() | ast.With() | ast.For() | ast.While():
                for block in ("body", "orelse", "finalbody"):
                    yield from _names(getattr(node, block, []))
                for handler in getattr(node, "handlers", []):
                    yield from _names(handler.body)
                yield from _targets(node)
            case _:
                yield from _targets(node)


def _targets(node: ast.stmt) -> Iterable[str]:
    """Names that a statement assigns."""
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.For):
        yield from (n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))

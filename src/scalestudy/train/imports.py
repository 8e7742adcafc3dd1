"""From an import path ``package.module:Name`` in config.yaml to the object, and calling it: every failure one line."""

import importlib
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from scalestudy.errors import StudyError
from scalestudy.spec.messages import suggestion


def resolve(path: str, key: str) -> Callable[..., Any]:
    """Import the callable that ``package.module:Name`` names; modules of the current folder are found too.

    ``key`` is the place in config.yaml, for the messages. Raises StudyError when the path is malformed, the module is
    not found or fails while it is imported, or the name is missing or cannot be called.
    """
    module_name, colon, name = path.partition(":")
    parts = [*module_name.split("."), *name.split(".")]
    if not colon or not all(part.isidentifier() for part in parts):
        raise StudyError(f"{key}: {path!r} is not an import path: write package.module:Name")
    found: Any = _import(module_name, path, key)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise StudyError(f"{key}: {path}: the module {module_name} has no {name}") from None
    if not callable(found):
        raise StudyError(f"{key}: {path}: is a {type(found).__name__}, and should be a class or a function")
    function: Callable[..., Any] = found
    return function


def unknown(name: str, known: Collection[str], key: str, what: str) -> StudyError:
    """The error for a name that is neither in a table of the catalog nor an import path."""
    right = suggestion(name, [*known, "package.module:Name"])
    return StudyError(f"{key}: there is no {what} {name!r}: {right}")


def call(function: Callable[..., Any], path: str, key: str, /, *arguments: Any, **options: Any) -> Any:
    """Call what ``resolve`` gave; whatever it raises becomes a StudyError that names the key and the path."""
    try:
        return function(*arguments, **options)
    except StudyError:
        raise
    except Exception as error:
        raise StudyError(f"{key}: {path}: {describe(error)}") from error


def describe(error: BaseException) -> str:
    """An exception as one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")


def _import(module_name: str, path: str, key: str) -> Any:
    folder = str(Path.cwd())
    if folder not in sys.path and "" not in sys.path:
        sys.path.append(folder)
    importlib.invalidate_caches()  # the module may have been written after Python started
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise StudyError(
                f"{key}: {path}: there is no module {error.name} (searched: {folder} and the installed packages)"
            ) from None
        raise StudyError(f"{key}: {path}: importing it failed: {describe(error)}") from error
    except Exception as error:
        raise StudyError(f"{key}: {path}: importing it failed: {describe(error)}") from error

"""config.yaml to a checked configuration, or to lines that say what is wrong."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from scalestudy.errors import StudyError
from scalestudy.spec.checks import violations
from scalestudy.spec.config import Config
from scalestudy.spec.messages import Problem, show_value
from scalestudy.spec.model_errors import problems
from scalestudy.spec.yaml_text import parse


def load_config(path: Path, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read and check a configuration; ``overrides`` are laid over the file, mappings key by key.

    Raises StudyError, with one line for each mistake.
    """
    source = str(path)
    data = parse(_read(path), source)
    if data is None:
        raise StudyError(f"{source}: is empty; must hold at least the keys workloads and studies")
    if not isinstance(data, dict):
        raise StudyError(f"{source}: found {show_value(data)}; must be a mapping with the keys workloads and studies")
    overrides = dict(overrides or {})
    return check(_merged(data, overrides), source, overrides)


def check(data: Mapping[str, Any], source: str, overridden: Iterable[str] = ()) -> Config:
    """A configuration from plain data. Raises StudyError, with one line for each mistake.

    ``overridden`` are the top keys that came from the command line.
    """
    try:
        config = Config.model_validate(data)
        found = violations(config)
    except ValidationError as error:
        found = problems(error, Config)
        if not found:
            raise
    if found:
        raise StudyError("\n".join(_lines(found, source, overridden)))
    return config


def _lines(found: Iterable[Problem], source: str, overridden: Iterable[str]) -> list[str]:
    keys = frozenset(overridden)
    return list(dict.fromkeys(problem.line(source, keys) for problem in found))


def _read(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise StudyError(f"{path}: there is no such file; must be a configuration such as config.yaml") from error
    except IsADirectoryError as error:
        raise StudyError(f"{path}: is a folder; must be a file such as config.yaml") from error
    except (OSError, ValueError) as error:
        raise StudyError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise StudyError(f"{path}: line {line}: is not UTF-8 text; save the file as UTF-8") from error


def _merged(data: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(data)
    for key, value in overrides.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return merged

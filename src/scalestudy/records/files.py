"""Whole-or-absent writing, and reading that names the file and what is wrong with it."""

import os
import tempfile
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from scalestudy.errors import StudyError

M = TypeVar("M", bound=BaseModel)


def write_bytes(path: Path, *content: bytes) -> None:
    """Write a file of these parts aside and rename it, so that a reader sees the whole of it or none.

    Raises StudyError when the folder cannot be written or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.writelines(content)
                stream.flush()
                os.fsync(stream.fileno())
            Path(aside).chmod(0o644)
            Path(aside).replace(path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StudyError(f"{path}: cannot be written: {error.strerror or error}") from error


def write_text(path: Path, content: str) -> None:
    """``write_bytes`` for UTF-8 text."""
    write_bytes(path, content.encode())


def write_model(path: Path, model: BaseModel) -> None:
    """Write a model as indented JSON."""
    content = model.model_dump_json(indent=1).encode()  # each copy of a large report is 20 MB
    write_bytes(path, content, b"\n")


def model_text(model: BaseModel) -> str:
    """What ``write_model`` writes."""
    return model.model_dump_json(indent=1) + "\n"


def read_model(path: Path, kind: type[M]) -> M:
    """Read a model back.

    Raises StudyError naming the file when it is missing, truncated, or not of this kind.
    """
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StudyError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise StudyError(f"{path}: {where}: {first['msg']}") from error

"""Whole-or-absent writing, and reading that names the file and what is wrong with it."""

import os
import stat
import tempfile
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from scalestudy.errors import StudyError

M = TypeVar("M", bound=BaseModel)
MOST_BYTES = 500_000_000
"""Twenty times what the report of 10,000 runs has. More would fill the memory before anything is wrong in it."""


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

    Raises StudyError naming the file when it cannot be read (``read_bytes``), is truncated, or not of this kind.
    """
    content = read_bytes(path)
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise StudyError(f"{path}: {where}: {first['msg']}") from error


def read_text(path: Path) -> str:
    """``read_bytes`` of UTF-8 text."""
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise StudyError(f"{path}: cannot be read: {error}") from error


def read_bytes(path: Path, most_bytes: int = MOST_BYTES) -> bytes:
    """All that a file holds.

    Raises StudyError naming the file when it is missing, a link that leads nowhere, no regular file (a pipe might never
    end), larger than ``most_bytes``, or refused by the system.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise StudyError(f"{path}: is no regular file")
        if status.st_size > most_bytes:
            raise StudyError(f"{path}: is too large: {status.st_size / 1e6:.0f} MB, at most {most_bytes / 1e6:.0f}")
        return path.read_bytes()
    except FileNotFoundError as error:
        if path.is_symlink():
            raise StudyError(f"{path}: is a link to a file that is not there") from error
        raise StudyError(f"{path}: cannot be read: {error.strerror}") from error
    except OSError as error:
        raise StudyError(f"{path}: cannot be read: {error.strerror or error}") from error


def is_there(path: Path) -> bool:
    """Whether a folder has an entry of this name, whatever it is: reading one that cannot be read says why."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True

"""One training per run folder at a time."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from scalestudy.errors import StudyError


class RunBusy(StudyError):
    """Another process trains the run: not a failure of the run."""


@contextmanager
def only_one(folder: Path) -> Generator[None, None, None]:
    """Hold the run folder while training. The kernel lets go when the process and its ranks end, however they end.

    Where the file system has no locks nothing is held. Raises RunBusy when another process holds the folder.
    """
    path = folder / "lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StudyError(f"{path}: cannot be written: {error.strerror or error}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunBusy(f"{folder}: another process trains this run; wait for it, or end it") from error
        except OSError:
            pass
        yield
    finally:
        os.close(handle)

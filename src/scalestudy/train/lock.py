"""One training per run folder at a time."""

import fcntl
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from scalestudy.errors import StudyError

WAIT_S = 240.0
"""How long a launched rank waits: SLURM starts a job anew beside ranks of it that live on, where it lost sight of their
node. Less than the others wait for this rank."""
POLL_S = 1.0


class RunBusy(StudyError):
    """Another process trains the run: not a failure of the run."""


class Finished(Exception):
    """The process that was waited for finished the run."""


@contextmanager
def only_one(folder: Path, wait_s: float = 0) -> Generator[float, None, None]:
    """Hold the run folder while training. The kernel lets go when the process and its ranks end, however they end.

    Gives the seconds that it had to wait. Where the file system has no locks nothing is held. Raises RunBusy when
    another process holds the folder, and still does so after ``wait_s``.
    """
    path = folder / "lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StudyError(f"{path}: cannot be written: {error.strerror or error}") from error
    try:
        begin, waits = monotonic(), False
        while not _held(handle):
            if monotonic() >= begin + wait_s:
                raise RunBusy(f"{folder}: another process trains this run; wait for it, or end it")
            if not waits:
                print(f"{folder}: another process trains this run; waiting {wait_s:.0f} s for it", file=sys.stderr)
                waits = True
            sleep(min(POLL_S, wait_s))
        yield monotonic() - begin if waits else 0.0
    finally:
        os.close(handle)


def _held(handle: int) -> bool:
    """Whether this process holds the lock now, or none can be held there."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True

"""Builders and looks into images, which end with this process and leave nothing running or mounted."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

CLEAN_UP_S = 60.0
"""So long they may take to end when they are asked to."""


@contextmanager
def ended_with_us(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """A process in a session of its own; where this one is to end, or gives up, all of that session is asked to.

    All: without a range of ids in /etc/subuid Apptainer builds in another process of its own name, which the first one
    leaves behind. Asked, and killed only later: they then remove what they unpacked and mounted.
    """
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **options)
    try:
        yield process
    except BaseException:
        _end(process)
        raise


def _end(process: subprocess.Popen[Any]) -> None:
    with suppress(ProcessLookupError, PermissionError):  # none of them is left, or they are another user's (setuid)
        os.killpg(process.pid, signal.SIGTERM)
        end = monotonic() + CLEAN_UP_S
        while monotonic() < end and _is_alive(process.pid):
            process.poll()
            sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(CLEAN_UP_S)


def _is_alive(session: int) -> bool:
    """Whether one of its processes still runs; some may have ended whom nobody has asked for."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, own = stat.read_text().rpartition(")")[2].split()[:4]
            if int(own) == session and state != "Z":
                return True
    return False


def output_of(command: Sequence[str], timeout_s: float) -> subprocess.CompletedProcess[str]:
    """What a command that ends with this process printed. Raises TimeoutExpired."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with ended_with_us(command, **pipes) as process:
        said, errors = process.communicate(timeout=timeout_s)
    return subprocess.CompletedProcess(list(command), process.returncode, said, errors)

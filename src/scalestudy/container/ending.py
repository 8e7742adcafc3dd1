"""Builders and looks into images, which end with this process and leave nothing running or mounted."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
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
        while monotonic() < end:
            process.poll()  # as long as it is not asked, it counts as one that is there
            os.killpg(process.pid, 0)
            sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def output_of(command: Sequence[str], timeout_s: float) -> subprocess.CompletedProcess[str]:
    """What a command that ends with this process printed. Raises TimeoutExpired."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with ended_with_us(command, **pipes) as process:
        said, errors = process.communicate(timeout=timeout_s)
    return subprocess.CompletedProcess(list(command), process.returncode, said, errors)

"""Servers that engines need, and what an engine may have left behind."""

import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ordinary_user import NAME

PATIENCE_S = 300.0


def processes(pattern: str = "") -> list[str]:
    """The processes of the user that the tests run as; an image is mounted as long as a ``squashfuse`` serves it."""
    command = ["pgrep", "-u", NAME, "-af", pattern]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


def mounted() -> list[str]:
    """Images that are mounted where any process sees them: Apptainer mounts in a namespace of its own."""
    found = []
    for path in Path("/proc").glob("[0-9]*/mountinfo"):
        with suppress(OSError):  # it has ended
            found += [line for line in path.read_text().splitlines() if "squashfuse" in line]
    return found


def wait_for(condition: Callable[[], object], what: str, timeout_s: float = PATIENCE_S) -> None:
    """Wait for what must come; raises TimeoutError that names it."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come within {timeout_s:g} s")
        time.sleep(0.2)


@contextmanager
def server(command: Sequence[str | Path], log: Path, answers: Callable[[], object]) -> Iterator[None]:
    """A server as long as the block runs; where it ends or does not answer within a minute, its log is in the error."""
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)

    def ready() -> object:
        assert process.poll() is None, "it ended"
        return answers()

    try:
        try:
            wait_for(ready, f"an answer of {command[0]}", 60)
        except (AssertionError, TimeoutError) as error:
            error.add_note(log.read_text()[-3000:])
            raise
        yield
    finally:
        process.terminate()
        process.wait(60)


def nothing_is_left() -> None:
    """Waits for the end of all that the user has run; no image may be mounted then, in whatever namespace."""
    wait_for(lambda: not processes(), "the end of all processes of the user")
    assert mounted() == []

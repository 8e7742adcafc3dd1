"""Downloading whole or not at all."""

import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scalestudy.errors import StudyError

STALLED_S = 30.0
"""A connection that gives nothing for so long counts as failed (torchvision sets no limit)."""


def download_into(folder: Path, title: str, advice: str, fetch: Callable[[Path], object]) -> None:
    """Let ``fetch`` download into an empty folder, then move what it left there into ``folder``.

    Nothing is left behind when it fails. Raises StudyError with the reason and the advice, in one line.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as aside, _stalled_connections_fail():
            fetch(Path(aside))
            _move_files(Path(aside), folder)
    except (OSError, RuntimeError, EOFError) as error:
        reason = " ".join(str(error).split())
        raise StudyError(f"{title} cannot be downloaded ({reason}): check the network, or {advice}") from error


@contextmanager
def _stalled_connections_fail() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALLED_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _move_files(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")):
        if path.is_file():
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, place)

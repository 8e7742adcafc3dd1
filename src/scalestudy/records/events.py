"""Event lines: one JSON object per line, appended and flushed, one file per rank.

The grammar is declared here and every line is checked against it when it is read: a foreign or truncated line is named
with its file and number, never guessed.
"""

import contextlib
import json
import stat
import time
from pathlib import Path
from typing import Any

from scalestudy.errors import StudyError

GRAMMAR: dict[str, frozenset[str]] = {
    "start": frozenset({"run", "digest", "rank", "ranks", "host", "pid"}),
    "resume": frozenset({"epoch", "step"}),
    "epoch": frozenset({"epoch", "train_loss", "time_s"}),
    "evaluation": frozenset({"epoch", "test_loss", "test_accuracy"}),
    "checkpoint": frozenset({"epoch", "step"}),
    "stop": frozenset({"reason", "epoch", "step"}),
    "error": frozenset({"message"}),
    "end": frozenset({"total_s"}),
}
"""Event name to the keys that it must have, beside ``event`` and ``time`` (Unix seconds)."""
OPTIONAL: dict[str, frozenset[str]] = {"error": frozenset({"may_pass"})}
"""And to those that it may have."""


NUMBERS = frozenset({"time", "time_s", "total_s"})
"""Keys whose values are finite numbers."""
MOST_BYTES = 16_000_000
"""A file of a rank holds some hundred bytes for each epoch."""
LARGEST = 1e300
"""JSON has integers that no float holds."""
COUNTS = frozenset({"epoch", "step", "rank", "ranks", "pid"})
"""Keys whose values are integers of 0 or more."""


class EventLog:
    """Appends event lines; each is flushed, so that a run cut short leaves a readable file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _end_last_line(path)
            self._stream = path.open("a", encoding="utf-8")
        except OSError as error:
            raise self._unwritable(error) from error

    def write(self, event: str, **values: Any) -> None:
        """Append one event.

        Raises KeyError for an undeclared event, ValueError for missing or extra keys, StudyError when the file cannot
        be written.
        """
        if values.keys() - OPTIONAL.get(event, frozenset()) != GRAMMAR[event]:
            raise ValueError(f"event {event}: keys {sorted(values)} are not {sorted(GRAMMAR[event])}")
        try:
            self._stream.write(json.dumps({"event": event, "time": round(time.time(), 6), **values}) + "\n")
            self._stream.flush()
        except OSError as error:
            raise self._unwritable(error) from error

    def close(self) -> None:
        """Close the file; what a full disk did not take was reported when it was written."""
        with contextlib.suppress(OSError):
            self._stream.close()

    def _unwritable(self, error: OSError) -> StudyError:
        return StudyError(f"{self._path}: cannot be written: {error.strerror or error}")


def _end_last_line(path: Path) -> None:
    """End a line that a killed process left unfinished, so that the next event starts on a line of its own."""
    if path.exists() and (content := path.read_bytes()) and not content.endswith(b"\n"):
        with path.open("ab") as stream:
            stream.write(b"\n")


def check_readable(path: Path) -> None:
    """Raises StudyError for what is there and no regular file, which might never end, or is too large to check."""
    try:
        status = path.stat()
    except OSError:  # reading it says why
        return
    if not stat.S_ISREG(status.st_mode):
        raise StudyError(f"{path}: is no regular file")
    if status.st_size > MOST_BYTES:
        raise StudyError(
            f"{path}: is too large to check: {status.st_size / 1e6:.0f} MB, at most {MOST_BYTES / 1e6:.0f}"
        )


def read_events(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """All valid events of a file, and one line for each that is not, naming file and line.

    Raises StudyError when the file cannot be read.
    """
    events, problems = [], []
    check_readable(path)
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise StudyError(f"{path}: cannot be read: {error.strerror or error}") from error
    for number, line in enumerate(lines, start=1):
        try:
            event = json.loads(line)
            missing = (GRAMMAR[event["event"]] | {"time"}) - event.keys()
            wrong = [key for key in sorted(event) if not _is_right(key, event[key])]
        except (ValueError, KeyError, TypeError, RecursionError):
            problems.append(f"{path}:{number}: is not an event line")
            continue
        if missing:
            problems.append(f"{path}:{number}: event {event['event']} lacks {', '.join(sorted(missing))}")
        elif wrong:
            problems.append(f"{path}:{number}: event {event['event']}: {wrong[0]} is not a number that can stand there")
        else:
            events.append(event)
    return events, problems


def _is_right(key: str, value: object) -> bool:
    """Whether a value is of the kind that its key says; all other keys take anything."""
    if key in COUNTS:
        return type(value) is int and value >= 0
    if key in NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
    return True

"""Event lines: one JSON object per line, appended and flushed, one file per rank.

The grammar is declared here and every line is checked against it when it is read: a foreign or truncated line is named
with its file and number, never guessed.
"""

import contextlib
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from scalestudy.errors import StudyError
from scalestudy.records.files import read_bytes

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
OPTIONAL: dict[str, frozenset[str]] = {"start": frozenset({"schema_version"}), "error": frozenset({"may_pass"})}
"""And to those that it may have; files of earlier versions have no ``schema_version``, and the first schema."""
SCHEMA_VERSION = 1
"""Of the lines from a start on."""
MOST_BYTES = 16_000_000
"""A file of a rank holds some hundred bytes for each epoch."""
LARGEST = 1e300
"""JSON has integers that no float holds."""
MOST = 10**18
"""No count is larger."""


def _is_number(value: Any) -> bool:
    """Also one that is not finite: what a training that diverged has for a loss."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_time(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= LARGEST


def _is_share(value: Any) -> bool:
    return _is_number(value) and (0 <= value <= 1 or (isinstance(value, float) and math.isnan(value)))


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MOST


RIGHT: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("time", "time_s", "total_s"), _is_time),
    **dict.fromkeys(("train_loss", "test_loss"), _is_number),
    "test_accuracy": _is_share,
    **dict.fromkeys(("epoch", "step", "rank", "ranks", "pid", "schema_version"), _is_count),
}
"""What the value of a key has to be; all other keys take anything."""


class EventLine(NamedTuple):
    """A valid line of a file."""

    number: int
    """From 1."""
    text: bytes
    event: dict[str, Any]


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


def read_content(path: Path) -> bytes:
    """The content of a file of events. Raises StudyError as ``read_bytes`` does."""
    return read_bytes(path, MOST_BYTES)


def read_events(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """All valid events of a file, and one line for each that is not, naming file and line.

    Raises StudyError when the file cannot be read.
    """
    lines, problems = parse_lines(path, read_content(path))
    return [line.event for line in lines], problems


def parse_lines(path: Path, content: bytes) -> tuple[list[EventLine], list[str]]:
    """The valid lines of a content of this file, and one text for each other one, naming file and line.

    Of what another version of the program wrote the start alone is named, and nothing is valid up to the next one.
    """
    lines, problems = [], []
    readable = True
    for number, text in enumerate(content.removesuffix(b"\n").split(b"\n") if content else [], start=1):
        try:
            event = json.loads(text)
            name, version = event["event"], event.get("schema_version", SCHEMA_VERSION)
            if name == "start":
                readable = version == SCHEMA_VERSION
            if version != SCHEMA_VERSION:
                problems.append(
                    f"{path}:{number}: schema_version: found {version!r}; "
                    f"this version of scalestudy reads {SCHEMA_VERSION}"
                )
                continue
            missing = GRAMMAR[name] - event.keys() if "time" in event else {"time", *GRAMMAR[name]} - event.keys()
            wrong = [key for key, value in event.items() if key in RIGHT and not RIGHT[key](value)]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            if readable:
                problems.append(f"{path}:{number}: is not an event line")
            continue
        if not readable:
            continue
        if missing:
            problems.append(f"{path}:{number}: event {name} lacks {', '.join(sorted(missing))}")
        elif wrong:
            problems.append(f"{path}:{number}: event {name}: {wrong[0]} is not a number that can stand there")
        else:
            lines.append(EventLine(number, text, event))
    return lines, problems

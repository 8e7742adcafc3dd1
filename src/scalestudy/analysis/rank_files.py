"""What is wrong with the event lines of a run's ranks, each named with its file and line.

No number of the analysis comes from these files: what they contradict is marked, and what they lack is said.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from scalestudy.errors import StudyError
from scalestudy.records.events import read_events
from scalestudy.records.paths import RunPaths

CLOCK_TOLERANCE_S = 1.0
"""Clocks are corrected by less than this in passing."""
MOST_BYTES = 2**16
"""Of a rank file; a longer one is looked at line by line."""
STALL_S = 60.0
"""Between the last event before an epoch and its end may pass half as much again as the epoch took, and this."""

Kind = Literal[
    "foreign rank file", "rank file missing", "rank file unreadable", "foreign rank lines", "rank lines lost",
    "rank lines out of order", "rank lines twice", "clock jumps",
]  # fmt: skip
"""What can be wrong, as runs.csv names it."""

_LINE = re.compile(rb'^\{"event": "([a-z]+)", "time": ([0-9]+\.?[0-9]*)(?:, "epoch": ([0-9]+))?, .*\}$', re.MULTILINE)
_EPOCH_TIME = re.compile(rb'"time_s": ([0-9.e-]+)\}$', re.MULTILINE)
_STAMP = re.compile(rb'"time": ([0-9]+)[0-9.]*(?:, "epoch": ([0-9]+))?')
_RANK = re.compile(rb'"rank": ([0-9]+),')
_RUN = re.compile(rb'"run": "([^"\\]+)"')
_NUMERIC = b"0123456789."


@dataclass(frozen=True)
class RankCheck:
    """What was found in the files of one run."""

    flaw: str
    """In a few words, for the table of runs; empty when nothing is wrong."""
    problems: list[str]
    """One line per file, naming its first wrong line."""


def check_ranks(paths: RunPaths, ranks: int, digest: str) -> RankCheck:
    """Check the files of a run that came to its end. ``ranks`` is how many it has, ``digest`` that of its run.json."""
    folder = str(paths.ranks)
    try:
        there = {name for name in os.listdir(folder) if name.endswith(".jsonl")}  # noqa: PTH208
    except OSError:
        there = set()
    wanted = _names(ranks) if ranks == len(there) else [paths.events(rank).name for rank in range(ranks)]
    plain = _Plain(digest)
    if there.issuperset(wanted) and len(there) == len(wanted) and plain.holds_all(_contents(folder, wanted)):
        return RankCheck("", [])
    kinds: dict[Kind, None] = {}
    problems = []
    for rank, name in enumerate(wanted):
        if name not in there:
            problems.append(f"{folder}/{name}: is missing; the run has {ranks} {'rank' if ranks == 1 else 'ranks'}")
            kinds["rank file missing"] = None
        elif found := _check_file(f"{folder}/{name}", rank, plain, digest):
            problems.append(found[0][1] + (f" (and {len(found) - 1} more)" if len(found) > 1 else ""))
            kinds |= dict.fromkeys(kind for kind, _ in found)
    if extra := sorted(there.difference(wanted)):
        problems.append(f"{folder}/{extra[0]}: is of no rank of this run, which has {ranks}")
        kinds["foreign rank file"] = None
    return RankCheck("; ".join(kinds), problems)


@cache
def _names(ranks: int) -> tuple[str, ...]:
    return tuple(RunPaths(Path()).events(rank).name for rank in range(ranks))


def _contents(folder: str, names: Sequence[str]) -> list[bytes]:
    """The beginnings of these files of a folder; none where any of them cannot be read."""
    found = []
    try:
        place = os.open(folder, os.O_RDONLY)
        try:
            for name in names:  # 640,000 times in a large study: opened below the folder, a path need not be walked
                handle = os.open(name, os.O_RDONLY, dir_fd=place)
                found.append(os.read(handle, MOST_BYTES))
                os.close(handle)
        finally:
            os.close(place)
    except OSError:
        return []
    return found


def _check_file(path: str, rank: int, plain: "_Plain", digest: str) -> list[tuple[Kind, str]]:
    """Kind and line of everything that is wrong; nothing is parsed of a file that is as the trainer writes it."""
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(MOST_BYTES)
        if plain.holds(content, rank):
            return []
        found = list(wrong_lines(Path(path), rank, digest))
        if not found:
            plain.learn(content)
        return found
    except OSError as error:
        return [("rank file unreadable", f"{path}: cannot be read: {error.strerror or error}")]
    except StudyError as error:
        return [("rank file unreadable", str(error))]


_KNOWN: dict[bytes, list[int]] = {}
"""What is left of a file in which a close look found nothing, without its numbers: which of its lines are epochs."""
MOST_KNOWN = 1000


class _Plain:
    """Whether files are one uninterrupted run in order, told without parsing them: of 640,000 nearly all are.

    Ranks write the same lines but for numbers, and runs but for their name and digest: what is left of a file without
    them is compared with what a close look found nothing in. Only a digit inside a word escapes it.
    """

    def __init__(self, digest: str) -> None:
        self._digest = f'"digest": "{digest}"'.encode()

    def holds_all(self, contents: Sequence[bytes]) -> bool:
        """Whether these are the plain contents of all ranks, in their order. All at once: that takes half the time."""
        if not contents or max(map(len, contents)) >= MOST_BYTES:
            return False
        joined = b"\0".join(contents)
        bare = self._bare(joined).split(b"\0")
        epochs = _KNOWN.get(bare[0])
        if epochs is None or bare.count(bare[0]) != len(bare) or len(bare) != len(contents):
            return False
        if joined.count(self._digest) != len(contents) or _RANK.findall(joined) != _numbers(len(contents)):
            return False
        stamps = _STAMP.findall(joined)
        first = stamps[: len(stamps) // len(contents)]
        others = [] if stamps == first * len(contents) else contents[1:]  # in step with a clock that is looked at
        return all(_is_in_step(content, epochs) for content in (contents[0], *others))

    def holds(self, content: bytes, rank: int) -> bool:
        """Whether the content of a rank's file is plain."""
        epochs = _KNOWN.get(self._bare(content))
        if epochs is None or len(content) >= MOST_BYTES:
            return False
        first = content[: content.find(b"\n")]
        return self._digest in first and b'"rank": %d,' % rank in first and _is_in_step(content, epochs)

    def learn(self, content: bytes) -> None:
        """Take a file with nothing wrong as the pattern for others, if it is of a run that was not interrupted."""
        lines = _LINE.findall(content)
        names = [name for name, _, _ in lines]
        epochs = [place for place, name in enumerate(names) if name == b"epoch"]
        whole = len(lines) == content.count(b"\n") and content.endswith(b"\n") and b"start" not in names[1:]
        if whole and lines and len(_EPOCH_TIME.findall(content)) == len(epochs) and len(_KNOWN) < MOST_KNOWN:
            _KNOWN[self._bare(content)] = epochs

    def _bare(self, content: bytes) -> bytes:
        """Without name and digest of the run, and without digits."""
        if named := _RUN.search(content):
            content = content.replace(named[1], b"")
        return content.replace(self._digest, b"").translate(None, _NUMERIC)


@cache
def _numbers(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def _is_in_step(content: bytes, epochs: Sequence[int]) -> bool:
    """Whether the epochs, which are these lines, follow each other, and the clock does not jump."""
    lines = _LINE.findall(content)
    numbers = [int(lines[place][2]) for place in epochs]
    if numbers != list(range(len(numbers))):
        return False
    times = [float(line[1]) for line in lines]
    if times != sorted(times):
        return False
    spent = [float(time) for time in _EPOCH_TIME.findall(content)]
    gaps = [times[place] - times[place - 1] for place in epochs]
    return len(spent) == len(gaps) and all(map(_clock_agrees, gaps[1:], spent[1:]))


def wrong_lines(path: Path, rank: int, digest: str) -> Iterator[tuple[Kind, str]]:
    """Kind and text, with file and line, of everything that is wrong with a file. Raises StudyError if unreadable."""
    events, problems = read_events(path)
    yield from (("foreign rank lines", problem) for problem in problems)
    numbers = _line_numbers(path)
    yield from _duplicates(path, numbers)
    starts = [event for event in events if event["event"] == "start"]
    if not starts:
        yield "rank lines lost", f"{path}:1: does not begin with a start event"
    elif starts[-1]["digest"] != digest:
        where = numbers.get(_key(starts[-1]), [1])[-1]
        yield "foreign rank lines", f"{path}:{where}: was written by a run of another specification"
    elif starts[-1]["rank"] != rank:
        where = numbers.get(_key(starts[-1]), [1])[-1]
        yield "foreign rank lines", f"{path}:{where}: was written by rank {starts[-1]['rank']}"
    if events and events[-1]["event"] != "end":
        yield "rank lines lost", f"{path}:{sum(map(len, numbers.values()))}: ends without an end event"
    yield from _order(path, events, numbers)


def _order(path: Path, events: Sequence[dict[str, Any]], numbers: dict[str, list[int]]) -> Iterator[tuple[Kind, str]]:
    """Epochs that do not follow each other, and clocks that jump, within each attempt of the run."""
    expected: int | None = None
    before: dict[str, Any] | None = None
    for event in events:
        where = f"{path}:{numbers[_key(event)][0]}"
        if event["event"] in ("start", "resume"):
            expected = None if event["event"] == "start" else int(event["epoch"])
        elif before is not None and event["time"] < before["time"] - CLOCK_TOLERANCE_S:
            yield "clock jumps", f"{where}: the clock jumps back by {before['time'] - event['time']:.0f} s"
        if event["event"] == "epoch" and event != before:
            number = int(event["epoch"])
            if expected is not None and number != expected:
                yield "rank lines out of order", f"{where}: epoch {number} where epoch {expected} was to follow"
            if before is not None and before["time"] <= event["time"]:
                gap = event["time"] - before["time"]
                first = before["event"] in ("start", "resume")  # before it lies the start-up, which may take any time
                if not first and not _clock_agrees(gap, event["time_s"]):
                    timer_s = event["time_s"]
                    yield (
                        "clock jumps",
                        f"{where}: epoch {number} took {timer_s:.1f} s by its timer and {gap:.1f} s by the clock",
                    )
            expected = number + 1
        before = event


def _clock_agrees(gap_s: float, epoch_s: float) -> bool:
    """Whether the time between an epoch's event and the one before it fits the epoch's own time."""
    return epoch_s - CLOCK_TOLERANCE_S <= gap_s <= 1.5 * epoch_s + STALL_S


def _line_numbers(path: Path) -> dict[str, list[int]]:
    """Where each event stands, by its content."""
    found: dict[str, list[int]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        try:
            found.setdefault(_key(json.loads(line)), []).append(number)
        except ValueError:
            found.setdefault(line, []).append(number)
    return found


def _key(event: Any) -> str:
    return json.dumps(event, sort_keys=True)


def _duplicates(path: Path, numbers: dict[str, list[int]]) -> Iterator[tuple[Kind, str]]:
    for lines in numbers.values():
        if len(lines) > 1:
            yield "rank lines twice", f"{path}:{lines[1]}: repeats line {lines[0]}"

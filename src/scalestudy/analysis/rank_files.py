"""What is wrong with the event lines of a run's ranks, each named with its file and line.

No number of the analysis comes from these files: what they contradict is marked, and what they lack is said.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from scalestudy.analysis.clocks import CLOCK_TOLERANCE_S, STALL_S, evaluation_agrees, training_agrees
from scalestudy.analysis.plain_ranks import MOST_BYTES, PlainRanks
from scalestudy.analysis.rank_epochs import contradiction
from scalestudy.errors import StudyError
from scalestudy.records.events import check_readable, read_events
from scalestudy.records.paths import RunPaths
from scalestudy.records.result import Epoch

Kind = Literal[
    "foreign rank file", "rank file missing", "rank file unreadable", "foreign rank lines", "rank lines lost",
    "rank lines out of order", "rank lines twice", "clock jumps",
]  # fmt: skip
"""What can be wrong, as runs.csv names it."""


@dataclass(frozen=True)
class RankCheck:
    """What was found in the files of one run."""

    flaw: str
    """In a few words, for the table of runs; empty when nothing is wrong."""
    problems: list[str]
    """One line per file, naming its first wrong line."""
    contradiction: str | None = None
    """What they say otherwise than the result; None where nothing."""


def check_ranks(
    paths: RunPaths, ranks: int, digest: str, evaluations_s: Sequence[float], epochs: Sequence[Epoch] = ()
) -> RankCheck:
    """Check the files of a run that came to its end.

    ``ranks`` is how many it has, ``digest`` that of its run.json, ``evaluations_s`` what its result says of each epoch,
    and ``epochs`` the epochs to compare with those of the ranks.
    """
    folder = str(paths.ranks)
    try:
        there = {name for name in os.listdir(folder) if name.endswith(".jsonl")}  # noqa: PTH208
    except OSError:
        there = set()
    wanted = _names(ranks) if ranks == len(there) else [paths.events(rank).name for rank in range(ranks)]
    plain = PlainRanks(digest, evaluations_s, epochs)
    if there.issuperset(wanted) and len(there) == len(wanted) and plain.holds(_contents(folder, wanted), whole=True):
        return RankCheck("", [])
    kinds: dict[Kind, None] = {}
    problems = []
    for rank, name in enumerate(wanted):
        if name not in there:
            problems.append(f"{folder}/{name}: is missing; the run has {ranks} {'rank' if ranks == 1 else 'ranks'}")
            kinds["rank file missing"] = None
        elif found := _check_file(f"{folder}/{name}", rank, plain, (digest, evaluations_s)):
            problems.append(found[0][1] + (f" (and {len(found) - 1} more)" if len(found) > 1 else ""))
            kinds |= dict.fromkeys(kind for kind, _ in found)
    if extra := sorted(there.difference(wanted)):
        problems.append(f"{folder}/{extra[0]}: is of no rank of this run, which has {ranks}")
        kinds["foreign rank file"] = None
    named = [paths.ranks / name for name in wanted]
    return RankCheck("; ".join(kinds), problems, contradiction(named, epochs) if epochs else None)


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
                handle = os.open(name, os.O_RDONLY | os.O_NONBLOCK, dir_fd=place)  # a pipe would wait
                try:
                    found.append(os.read(handle, MOST_BYTES))
                finally:
                    os.close(handle)
        finally:
            os.close(place)
    except OSError:
        return []
    return found


def _check_file(path: str, rank: int, plain: PlainRanks, wanted: tuple[str, Sequence[float]]) -> list[tuple[Kind, str]]:
    """Kind and line of everything that is wrong; nothing is parsed of a file that is as the trainer writes it."""
    try:
        check_readable(Path(path))
        with Path(path).open("rb") as stream:
            content = stream.read(MOST_BYTES)
        if plain.holds([content], rank):
            return []
        found = list(wrong_lines(Path(path), rank, *wanted))
        if not found:
            plain.learn(content)
        return found
    except OSError as error:
        return [("rank file unreadable", f"{path}: cannot be read: {error.strerror or error}")]
    except StudyError as error:
        return [("rank file unreadable", str(error))]


def wrong_lines(path: Path, rank: int, digest: str, evaluations_s: Sequence[float]) -> Iterator[tuple[Kind, str]]:
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
    yield from _order(path, events, numbers, evaluations_s)


def _order(
    path: Path, events: Sequence[dict[str, Any]], numbers: dict[str, list[int]], evaluations_s: Sequence[float]
) -> Iterator[tuple[Kind, str]]:
    """Epochs that do not follow each other, and clocks that jump, within each attempt of the run."""
    expected: int | None = None
    before: dict[str, Any] | None = None
    for event in events:
        where = f"{path}:{numbers[_key(event)][0]}"
        if event["event"] in ("start", "resume"):
            expected = None if event["event"] == "start" else event["epoch"]
        elif before is not None and event["time"] < before["time"] - CLOCK_TOLERANCE_S:
            yield "clock jumps", f"{where}: the clock jumps back by {before['time'] - event['time']:.0f} s"
        elif before is not None and event != before:
            yield from _jump(where, before, event, evaluations_s)
        if event["event"] == "epoch" and event != before:
            number = event["epoch"]
            if expected is not None and number != expected:
                yield "rank lines out of order", f"{where}: epoch {number} where epoch {expected} was to follow"
            expected = number + 1
        before = event


def _jump(
    where: str, before: dict[str, Any], event: dict[str, Any], evaluations_s: Sequence[float]
) -> Iterator[tuple[Kind, str]]:
    """A clock that did not go as far from one event to the next as the timer of what lies between them."""
    gap_s, number = event["time"] - before["time"], event.get("epoch")
    if event["event"] == "epoch" and before["event"] not in ("start", "resume"):  # a start-up may take any time
        timer_s = event["time_s"]
        if not training_agrees(gap_s, timer_s):
            jump = f"{where}: epoch {number} took {timer_s:.1f} s by its timer and {gap_s:.1f} s by the clock"
            yield "clock jumps", jump
    elif (event["event"], before["event"]) == ("evaluation", "epoch") and number == before["epoch"]:
        timer_s = evaluations_s[number] if number < len(evaluations_s) else None
        if timer_s is not None and not evaluation_agrees(gap_s, timer_s):
            jump = f"{where}: evaluation {number} took {timer_s:.1f} s by its timer and {gap_s:.1f} s by the clock"
            yield "clock jumps", jump
    elif (event["event"], before["event"]) == ("end", "evaluation") and gap_s > STALL_S:
        yield "clock jumps", f"{where}: the run ends {gap_s:.0f} s after its last evaluation by the clock"


def _line_numbers(path: Path) -> dict[str, list[int]]:
    """Where each event stands, by its content."""
    found: dict[str, list[int]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        try:
            found.setdefault(_key(json.loads(line)), []).append(number)
        except (ValueError, RecursionError):
            found.setdefault(line, []).append(number)
    return found


def _key(event: Any) -> str:
    return json.dumps(event, sort_keys=True)


def _duplicates(path: Path, numbers: dict[str, list[int]]) -> Iterator[tuple[Kind, str]]:
    for lines in numbers.values():
        if len(lines) > 1:
            yield "rank lines twice", f"{path}:{lines[1]}: repeats line {lines[0]}"

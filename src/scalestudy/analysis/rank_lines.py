"""What is wrong with the event lines of one rank of a run that came to its end.

Such a rank wrote, in this order, each epoch and its evaluation, and its end. These have places: 0 is the first epoch, 1
its evaluation, and so on. A run that was interrupted goes on in the same file, from another start on: another attempt.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple

from scalestudy.analysis.clocks import CLOCK_TOLERANCE_S, STALL_S, evaluation_agrees, training_agrees
from scalestudy.analysis.planned import Planned
from scalestudy.records.events import EventLine, parse_lines
from scalestudy.records.result import Epoch

Kind = Literal[
    "foreign rank file", "rank file missing", "rank file unreadable", "foreign rank lines", "rank lines lost",
    "rank lines out of order", "rank lines twice", "clock jumps",
]  # fmt: skip
"""What can be wrong, as runs.csv names it."""
LAST = ("stop", "error", "end")
"""Events that end an attempt; an error may still come after the end."""
Event = dict[str, Any]


class Wrong(NamedTuple):
    """Something that is wrong with a file."""

    kind: Kind
    text: str
    """Names file and line."""


def look_at(
    path: Path, content: bytes, rank: int, planned: Planned, epochs: Sequence[Epoch]
) -> tuple[list[EventLine], list[Wrong]]:
    """The lines of a file that are of this run and rank, each once, and everything that is wrong with the file.

    ``epochs`` are those of the run's result.
    """
    lines, problems = parse_lines(path, content)
    wrong = [Wrong("foreign rank lines", problem) for problem in problems]
    first: dict[bytes, EventLine] = {}
    for line in lines:
        if (earlier := first.setdefault(line.text, line)) is not line:
            wrong.append(Wrong("rank lines twice", f"{path}:{line.number}: repeats line {earlier.number}"))
    own, foreign = _own(path, list(first.values()), rank, planned)
    wrong += foreign
    if own or not wrong:
        wrong += _attempts(path, own)
        wrong += _order(path, own, len(epochs))
        wrong += _clocks(path, own, epochs)
    return own, wrong


def _own(path: Path, lines: Sequence[EventLine], rank: int, planned: Planned) -> tuple[list[EventLine], list[Wrong]]:
    """The lines without those of another run or rank, which are named, and of an earlier specification of this run."""
    own, wrong = [], []
    starts = [line for line in lines if line.event["event"] == "start"]
    is_own = True
    for line in lines:
        if (start := line.event)["event"] == "start":
            is_own = (start["run"], start["digest"]) == (planned.id, planned.digest)
            trained_before = start["run"] == planned.id and not is_own and line is not starts[-1]
            if not trained_before and (foreign := _foreign(f"{path}:{line.number}", start, rank, planned)):
                is_own = False
                wrong.append(Wrong("foreign rank lines", foreign))
        if is_own:
            own.append(line)
    return own, wrong


def _foreign(where: str, start: Event, rank: int, planned: Planned) -> str | None:
    """What a start event says that is not of this run and rank."""
    flaws = {
        f"{where}: was written by run {start['run']}": start["run"] != planned.id,
        f"{where}: was written by a run of another specification": start["digest"] != planned.digest,
        f"{where}: was written by rank {start['rank']}": start["rank"] != rank,
        f"{where}: was written by one of {start['ranks']} ranks": start["ranks"] != planned.ranks,
    }
    return next((flaw for flaw, holds in flaws.items() if holds), None)


def _attempts(path: Path, own: Sequence[EventLine]) -> Iterator[Wrong]:
    """Attempts that do not begin or end as they should."""
    if not own or own[0].event["event"] != "start":
        yield Wrong("rank lines lost", f"{path}:{own[0].number if own else 1}: does not begin with a start event")
    for earlier, line in pairwise(own):
        where, before, name = f"{path}:{line.number}", earlier.event["event"], line.event["event"]
        error_after_end = (before, name) == ("end", "error") and line is not own[-1]
        if before in LAST and name != "start" and not error_after_end:
            yield Wrong("rank lines out of order", f"{where}: event {name} after event {before}")
        if name == "resume" and before != "start":
            yield Wrong("rank lines lost", f"{where}: has no start event before it")


def _order(path: Path, own: Sequence[EventLine], count: int) -> Iterator[Wrong]:
    """What does not follow what stands before it, and what is lost, of a run of ``count`` epochs."""
    places = {_place(line.event, count) for line in own} - {None}
    follows = reached = 0
    ended = False
    for number, _, event in own:
        where, name, place = f"{path}:{number}", event["event"], _place(event, count)
        if name in ("resume", "epoch", "evaluation") and event["epoch"] >= count:
            yield Wrong("foreign rank lines", f"{where}: is of epoch {event['epoch']}, and the run has {count} epochs")
        elif name in ("start", "resume"):
            follows, ended = 2 * event.get("epoch", 0), False
            if follows > reached:
                yield Wrong("rank lines lost", f"{where}: lacks {_all(reached, follows, count)} before it")
        elif place is not None:
            ended = ended or name == "end"
            if place > follows and places.isdisjoint(range(follows, place)):
                yield Wrong("rank lines lost", f"{where}: lacks {_all(follows, place, count)} before it")
            elif place != follows:
                found, wanted = _name(place, count), _name(follows, count)
                yield Wrong("rank lines out of order", f"{where}: {found} where {wanted} was to follow")
            follows = place + 1
        reached = max(reached, follows)
    where = f"{path}:{own[-1].number if own else 1}"
    if follows < 2 * count and not ended:
        yield Wrong(
            "rank lines lost", f"{where}: ends without an end event and without {_all(follows, 2 * count, count)}"
        )
    elif not ended:
        yield Wrong("rank lines lost", f"{where}: ends without an end event")


def _place(event: Event, count: int) -> int | None:
    """The place of an event among those of a run of ``count`` epochs; None of one that may stand anywhere."""
    if event["event"] in ("epoch", "evaluation"):
        return int(2 * event["epoch"] + (event["event"] == "evaluation"))
    return 2 * count if event["event"] == "end" else None


def _name(place: int, count: int) -> str:
    """What stands at a place."""
    if place < 2 * count:
        return f"{'evaluation' if place % 2 else 'epoch'} {place // 2}"
    return "the end" if place == 2 * count else "nothing"


def _all(first: int, end: int, count: int) -> str:
    """What stands at the places from the first to before the end."""
    one, other = _name(first, count), _name(end - 1, count)
    return one if one == other else f"{one} up to {other}"


def _clocks(path: Path, own: Sequence[EventLine], epochs: Sequence[Epoch]) -> Iterator[Wrong]:
    """Clocks that jump from one line of an attempt to the next."""
    before: Event | None = None
    for number, _, event in own:
        if before is not None and event["event"] not in ("start", "resume"):
            yield from _jump(f"{path}:{number}", before, event, epochs)
        before = event


def _jump(where: str, before: Event, event: Event, epochs: Sequence[Epoch]) -> Iterator[Wrong]:
    """A clock that did not go as far from one event to the next as the timer of what lies between them."""
    gap_s, name, number = event["time"] - before["time"], event["event"], event.get("epoch", 0)
    if gap_s < -CLOCK_TOLERANCE_S:
        yield Wrong("clock jumps", f"{where}: the clock jumps back by {-gap_s:.0f} s")
    elif not _follows_at_once(before, event, len(epochs)):
        return
    elif name == "end":
        if gap_s > STALL_S:
            yield Wrong("clock jumps", f"{where}: the run ends {gap_s:.0f} s after its last evaluation by the clock")
    elif name == "epoch":
        if not training_agrees(gap_s, timer_s := event["time_s"]):
            said = f"{where}: epoch {number} took {timer_s:.1f} s by its timer and {gap_s:.1f} s by the clock"
            yield Wrong("clock jumps", said)
    elif not evaluation_agrees(gap_s, timer_s := epochs[number].evaluation_s):
        said = f"{where}: evaluation {number} took {timer_s:.1f} s by its timer and {gap_s:.1f} s by the clock"
        yield Wrong("clock jumps", said)


def _follows_at_once(before: Event, event: Event, count: int) -> bool:
    """Whether between two events of a run of ``count`` epochs lies what the later one is about, and nothing else.

    Not so after a start, which may take any time.
    """
    place = _place(event, count)
    done = 2 * before["epoch"] - 1 if before["event"] == "checkpoint" else _place(before, count)
    return place is not None and event.get("epoch", 0) < count and done == place - 1

"""What is wrong with the event lines of a run's ranks, each named with its file and line.

No number of the analysis comes from these files: what they contradict is marked, and what they lack is said.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scalestudy.analysis.plain_ranks import PlainRanks
from scalestudy.analysis.planned import Planned
from scalestudy.analysis.rank_epochs import RankEpochs, contradiction
from scalestudy.analysis.rank_lines import Wrong, look_at
from scalestudy.errors import StudyError
from scalestudy.records.events import EventLine, read_content
from scalestudy.records.paths import RunPaths
from scalestudy.records.result import Epoch

MOST_BYTES = 2**16
"""Of a rank file that is read with the others of its run."""


@dataclass(frozen=True)
class RankCheck:
    """What was found in the files of one run."""

    flaw: str = ""
    """In a few words, for the table of runs; empty when nothing is wrong."""
    problems: tuple[str, ...] = ()
    """One text per file with something wrong, naming a line of it and how much more is wrong."""
    contradiction: str | None = None
    """What they say otherwise than the result; None where nothing."""


def check_ranks(paths: RunPaths, planned: Planned, epochs: Sequence[Epoch]) -> RankCheck:
    """Check the files of a run that came to its end; ``epochs`` are those of its result."""
    folder = str(paths.ranks)
    try:
        there = {name for name in os.listdir(folder) if name.endswith(".jsonl")}  # noqa: PTH208
    except OSError:
        there = set()
    wanted = _names(planned.ranks)
    contents = _contents(folder, wanted) if there == set(wanted) else []
    plain = PlainRanks(planned, epochs)
    if contents and plain.holds(contents):
        return RankCheck()
    told, found = [], []
    for rank, name in enumerate(wanted):
        if name in there:
            content = contents[rank] if contents else None
            lines, wrong = _look(paths.ranks / name, content, rank, planned, epochs)
            if content and not wrong:
                plain.learn(content)
            told.append(RankEpochs.of(name, lines))
        else:
            said = f"{folder}/{name}: is missing; the run has {len(wanted)} {'rank' if len(wanted) == 1 else 'ranks'}"
            wrong = [Wrong("rank file missing", said)]
        found.append(wrong)
    if extra := sorted(there.difference(wanted)):
        said = f"{folder}/{extra[0]}: is of no rank of this run, which has {planned.ranks}"
        found.append([Wrong("foreign rank file", said)])
    kinds = dict.fromkeys(one.kind for wrong in found for one in wrong)
    problems = (wrong[0].text + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else "") for wrong in found if wrong)
    return RankCheck("; ".join(kinds), tuple(problems), contradiction(told, planned.ranks, epochs))


@cache
def _names(ranks: int) -> tuple[str, ...]:
    return tuple(RunPaths(Path()).events(rank).name for rank in range(ranks))


def _contents(folder: str, names: Sequence[str]) -> list[bytes]:
    """What these files of a folder hold; nothing where any of them cannot be read, or is long."""
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
    return found if max(map(len, found)) < MOST_BYTES else []


def _look(
    path: Path, content: bytes | None, rank: int, planned: Planned, epochs: Sequence[Epoch]
) -> tuple[list[EventLine], list[Wrong]]:
    """``look_at``, where there is no content yet after reading it."""
    try:
        return look_at(path, read_content(path) if content is None else content, rank, planned, epochs)
    except StudyError as error:
        return [], [Wrong("rank file unreadable", str(error))]

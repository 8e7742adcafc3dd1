"""Which of the ranks that a launcher started failed first, as their event files tell on the shared file system."""

import os
import socket
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from scalestudy.errors import MayPass, StudyError
from scalestudy.records.events import read_events
from scalestudy.records.paths import RunPaths
from scalestudy.train.processes import RankFailed

GRACE_S = 10.0
"""How long the other ranks may take to write down why they failed."""
POLL_S = 0.2
CLOCKS_DIFFER_S = 60.0
"""An error older than this start of the run by more belongs to an earlier one."""


class RankLost(MayPass):
    """A rank ended without a word: it was killed, or its node is gone."""


def hang_up() -> None:
    """Close this process's connections for the others, so that they notice now and not when this process has ended."""
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError, ValueError), socket.socket(fileno=os.dup(int(entry.name))) as connection:
            if connection.family in (socket.AF_INET, socket.AF_INET6) and connection.getpeername():
                connection.shutdown(socket.SHUT_RDWR)


def first_failure(paths: RunPaths, ranks: int, since: float) -> StudyError:
    """What the first rank that failed wrote down: MayPass or RankFailed.

    A rank that loses sight of another fails as well: all have something to say.
    ``since``: Unix time of this start of the run. Raises RankLost when a rank says nothing within GRACE_S.
    """
    end = monotonic() + GRACE_S
    while True:
        failures = {rank: event for rank in range(ranks) if (event := _failure(paths, rank, since))}
        if len(failures) == ranks:
            first = min(failures, key=lambda rank: failures[rank]["time"])
            kind = MayPass if failures[first].get("may_pass") else RankFailed
            return kind(f"rank {first} of {ranks}: {failures[first]['message']}")
        if monotonic() > end:
            silent = [str(rank) for rank in range(ranks) if rank not in failures]
            raise RankLost(f"of {ranks} ranks these ended without a word: {', '.join(silent)}")
        sleep(POLL_S)


def _failure(paths: RunPaths, rank: int, since: float) -> dict[str, Any] | None:
    path = paths.events(rank)
    if not path.exists():
        return None
    events = [event for event in read_events(path)[0] if event["time"] > since - CLOCKS_DIFFER_S]
    return events[-1] if events and events[-1]["event"] == "error" else None

"""Does a result say of its epochs what its ranks wrote of them? If not, nobody can tell which of them is damaged."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scalestudy.errors import StudyError
from scalestudy.records.events import read_events
from scalestudy.records.result import Epoch

CLOSE_S = 0.02
"""The trainer writes the largest time of all ranks; only a damage makes it differ."""
CLOSE = 1e-6
"""Of accuracies, likewise."""
CONTRADICTS = "result and rank files contradict each other"
Said = dict[int, tuple[Any, Path]]
"""By epoch: a value and the file that it is from."""


def contradiction(files: Sequence[Path], epochs: Sequence[Epoch]) -> str | None:
    """The first of the epochs that a rank file contradicts; of one that was trained twice the last time counts."""
    slowest: Said = {}
    heard: dict[int, int] = {}
    accuracies: list[Said] = []
    for path in files:
        try:
            events = read_events(path)[0]
        except StudyError:  # named by those who look at the file itself
            continue
        times = {event["epoch"]: event["time_s"] for event in events if event["event"] == "epoch"}
        for number, time_s in times.items():
            heard[number] = heard.get(number, 0) + 1
            if number not in slowest or time_s > slowest[number][0]:
                slowest[number] = (time_s, path)
        tested = [event for event in events if event["event"] == "evaluation"]
        accuracies.append({event["epoch"]: (event["test_accuracy"], path) for event in tested})
    for epoch in epochs:
        time_s, path = slowest.get(epoch.epoch, (epoch.time_s, Path()))
        whole = heard.get(epoch.epoch) == len(files)  # without the slowest rank the others may all be faster
        if time_s > epoch.time_s + CLOSE_S or (whole and time_s < epoch.time_s - CLOSE_S):
            return f"epochs[{epoch.epoch}].time_s: found {epoch.time_s:.4g} s, {path.name} says {time_s:.4g} s"
        for said in accuracies:
            accuracy, path = said.get(epoch.epoch, (epoch.test_accuracy, Path()))
            if not _same(accuracy, epoch.test_accuracy):
                return f"epochs[{epoch.epoch}].test_accuracy: found {epoch.test_accuracy}, {path.name} says {accuracy}"
    return None


def _same(one: Any, other: float) -> bool:
    """Whether two accuracies agree; one that is no number agrees with its like alone."""
    if not isinstance(one, int | float):
        return False
    return abs(one - other) <= CLOSE or (math.isnan(one) and math.isnan(other))

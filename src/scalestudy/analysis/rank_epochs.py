"""Does a result say of its epochs what its ranks wrote of them? If not, nobody can tell which of them is damaged."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from scalestudy.records.events import EventLine
from scalestudy.records.result import Epoch

CLOSE = 1e-6
"""The trainer writes the largest time of all ranks, and the accuracy of all; only a damage makes them differ. Of times
relative.
"""
CONTRADICTS = "result and rank files contradict each other"


class RankEpochs(NamedTuple):
    """What a rank wrote, by epoch; of one that was trained twice the last."""

    file: str
    times_s: dict[int, float]
    accuracies: dict[int, float]

    @classmethod
    def of(cls, file: str, lines: Iterable[EventLine]) -> "RankEpochs":
        """Of the lines of its file."""
        times_s: dict[int, float] = {}
        accuracies: dict[int, float] = {}
        for _, _, event in lines:
            if event["event"] == "epoch":
                times_s[event["epoch"]] = event["time_s"]
            elif event["event"] == "evaluation":
                accuracies[event["epoch"]] = event["test_accuracy"]
        return cls(file, times_s, accuracies)


def contradiction(ranks: Sequence[RankEpochs], count: int, epochs: Sequence[Epoch]) -> str | None:
    """The first of the epochs that a rank file contradicts, of a run of ``count`` ranks."""
    for epoch in epochs:
        times = [(rank.times_s[epoch.epoch], rank.file) for rank in ranks if epoch.epoch in rank.times_s]
        time_s, file = max(times, default=(epoch.time_s, ""), key=lambda time: time[0])
        whole = len(times) == count  # without the slowest rank the others may all be faster
        if time_s > epoch.time_s * (1 + CLOSE) or (whole and time_s < epoch.time_s * (1 - CLOSE)):
            return f"epochs[{epoch.epoch}].time_s: found {epoch.time_s:.4g} s, {file} says {time_s:.4g} s"
        for rank in ranks:
            accuracy = rank.accuracies.get(epoch.epoch, epoch.test_accuracy)
            if not _same(accuracy, epoch.test_accuracy):
                return f"epochs[{epoch.epoch}].test_accuracy: found {epoch.test_accuracy}, {rank.file} says {accuracy}"
    return None


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= CLOSE or (math.isnan(one) and math.isnan(other))

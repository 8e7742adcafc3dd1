"""Contestants in processes of their own, loaded once, that run blocks of steps in turn; and ratios from the turns.

Timings on a shared machine drift by more than the bars allow. So every round runs all contestants one after the other
and the reference twice, at both ends; the order is reversed every other round. A ratio is taken within a round, and the
median over the rounds is the result. The ratio of the reference's two blocks (A/A) shows what is noise.
"""

import multiprocessing
import os
import resource
import statistics
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from time import process_time
from typing import Any

from scalestudy.train.load import CpuTimes

Block = Callable[[], float]
"""Trains one block of steps and returns its seconds."""
Build = Callable[[], Mapping[str, Block]]
"""Loads a process's contestants, once."""


@dataclass(frozen=True)
class Turn:
    """One block of one process."""

    seconds: float
    cpu_s: float
    faults: int
    """Minor page faults."""


def _serve(connection: Connection, cores: list[int], build: Build) -> None:
    """The life of a worker: build, then run the block that is asked for until told to end."""
    try:
        os.sched_setaffinity(0, cores)
        blocks = build()
        connection.send(sorted(blocks))
        while (name := connection.recv()) is not None:
            faults, cpu = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, process_time()
            seconds = blocks[name]()
            connection.send(
                Turn(seconds, process_time() - cpu, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults)
            )
    except BaseException:
        connection.send(traceback.format_exc())
    finally:
        os._exit(0)


class Team:
    """Processes that run a block together: two ranks, or two independent trainings at once."""

    def __init__(self, builds: Sequence[tuple[list[int], Build]]) -> None:
        context = multiprocessing.get_context("fork")
        self._members: list[tuple[BaseProcess, Connection]] = []
        for cores, build in builds:
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, cores, build), daemon=True)
            process.start()
            theirs.close()
            self._members.append((process, ours))
        self.names: list[str] = self._answers()[0]

    def _answers(self) -> list[Any]:
        answers = []
        for _, connection in self._members:
            try:
                answer = connection.recv()
            except EOFError:
                raise RuntimeError("a contestant died") from None
            if isinstance(answer, str):
                raise RuntimeError(f"a contestant failed:\n{answer}")
            answers.append(answer)
        return answers

    def run(self, name: str) -> list[Turn]:
        """Run a block on every member at once."""
        for _, connection in self._members:
            connection.send(name)
        return self._answers()

    def close(self) -> None:
        """End the processes."""
        for process, connection in self._members:
            connection.send(None)
            process.join(timeout=10)
            if process.is_alive():
                process.kill()


@dataclass
class Contestant:
    """A block of a team, and what it is worth: ``images`` is per member and block."""

    team: Team
    block: str
    images: int
    steps: int
    together: bool = False
    """Members work on the same steps (ranks); otherwise their rates add up."""

    def rate(self, turns: list[Turn]) -> float:
        """Images per second of the whole team."""
        if self.together:
            return len(turns) * self.images / max(turn.seconds for turn in turns)
        return sum(self.images / turn.seconds for turn in turns)


@dataclass
class Rounds:
    """Rates of all contestants in all rounds."""

    reference: str
    rates: dict[str, list[float]] = field(default_factory=dict)
    again: list[float] = field(default_factory=list)
    """The reference's second block over its first, by round."""
    faults: dict[str, list[float]] = field(default_factory=dict)
    """Minor page faults per step and process."""
    foreign: list[float] = field(default_factory=list)
    """Share of the machine's time that other programs took, by round."""

    def ratios(self, one: str, other: str) -> list[float]:
        """Rate of one contestant over another's, by round."""
        return [a / b for a, b in zip(self.rates[one], self.rates[other], strict=True)]


def play(contestants: dict[str, Contestant], reference: str, rounds: int, warm_up: int = 2) -> Rounds:
    """Run all contestants in turn; the first blocks of each are thrown away."""
    result = Rounds(reference)
    for contestant in contestants.values():
        for _ in range(warm_up):
            contestant.team.run(contestant.block)
    others = [name for name in contestants if name != reference]
    for number in range(rounds):
        order = [reference, *(others if number % 2 else reversed(others)), reference]
        before, own = CpuTimes.now(), 0.0
        rates: dict[str, list[float]] = {}
        for name in order:
            contestant = contestants[name]
            turns = contestant.team.run(contestant.block)
            own += sum(turn.cpu_s for turn in turns)
            rates.setdefault(name, []).append(contestant.rate(turns))
            faults = max(turn.faults for turn in turns) / contestant.steps
            result.faults.setdefault(name, []).append(faults)
        after = CpuTimes.now()
        if after.total > before.total:
            result.foreign.append(max(0.0, after.busy - before.busy - own) / (after.total - before.total))
        for name, found in rates.items():
            result.rates.setdefault(name, []).append(statistics.fmean(found))
        first, second = rates[reference]
        result.again.append(second / first)
    return result

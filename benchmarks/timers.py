"""What do the timers of the steps cost? ``python benchmarks/timers.py`` trains single steps with and without them.

A step with timers, one without, and another without are trained on the same batch, in an order drawn anew in every
round, by one process on one core: what disturbs the machine for longer than a step disturbs all three. Shown is the
median of the rounds' ratios with its 95 % interval, of wall-clock time and of the process's own CPU time, which other
programs disturb less; beside it what the marks of a step take when nothing else is done. Exit code 1 unless the whole
interval of the CPU time lies below 1 %, and that of two steps without timers (A/A) within 1 %: else the machine is too
noisy to tell.
"""

import argparse
import os
import random
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from time import perf_counter, process_time

from contestants import ALONE, SilentClock, make_trainer
from rich.console import Console
from rich.table import Table
from workloads import make_run

from scalestudy.analysis.statistics import Estimate, summarize
from scalestudy.train.clock import BACKWARD, DATA, FORWARD, StepClock
from scalestudy.train.loop import Trainer

BAR = 0.01
MARKED_STEPS = 20_000


@dataclass(frozen=True)
class Step:
    """Seconds of one step."""

    wall_s: float
    cpu_s: float


def train_step(trainer: Trainer, clock: StepClock, number: int) -> Step:
    """A step of an epoch, on the batch of this number, timed from outside."""
    size = trainer.run.global_batch
    clock.start_epoch(1)
    wall, cpu = perf_counter(), process_time()
    clock.start_step()
    trainer.strategy.step(trainer.optimizer, trainer.train, number * size, (number + 1) * size, clock)
    clock.optimizer_done()
    clock.end_epoch()
    return Step(perf_counter() - wall, process_time() - cpu)


def rounds(trainer: Trainer, clocks: dict[str, StepClock], count: int) -> dict[str, list[Step]]:
    """So many rounds of a step under each clock, each in an order of its own; a tenth more before them are not kept."""
    found: dict[str, list[Step]] = {name: [] for name in clocks}
    order, draw = list(clocks), random.Random(1)
    for number in range(-count // 10, count):
        draw.shuffle(order)
        for name in order:
            took = train_step(trainer, clocks[name], number % trainer.steps)
            if number >= 0:
                found[name].append(took)
    return found


def marks_s() -> float:
    """Seconds that the marks of one step of one device take."""
    clock = StepClock(1)
    clock.start_epoch(MARKED_STEPS)
    begin = perf_counter()
    for _ in range(MARKED_STEPS):
        clock.start_step()
        for phase in (DATA, FORWARD, BACKWARD):
            clock.devices[0].lap(phase)
        clock.optimizer_done()
    return (perf_counter() - begin) / MARKED_STEPS


def excess(pairs: Iterable[tuple[float, float]]) -> Estimate:
    """By how much the first of a pair exceeds the second: the median of all pairs, and its interval."""
    return summarize([first / second - 1 for first, second in pairs])


def interval(found: Estimate) -> tuple[float, float]:
    """Everything where there is none."""
    return (-inf, inf) if found.low is None or found.high is None else (found.low, found.high)


def shown(found: Estimate) -> str:
    low, high = interval(found)
    return f"{found.value:+.2%} ({low:+.2%} to {high:+.2%})"


def exit_code(costs: Sequence[Estimate], differences: Sequence[Estimate]) -> int:
    """0: timers surely cost less than the bar on every network, and steps without any surely differ by less."""
    cheap = all(interval(one)[1] < BAR for one in costs)
    return 0 if cheap and all(max(map(abs, interval(one))) < BAR for one in differences) else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1500, help="of every network (1500)")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    console = Console(width=max(Console().width, 130))
    table = Table("network", "what", "wall-clock", "CPU time", "rounds")
    costs: list[Estimate] = []
    differences: list[Estimate] = []
    with tempfile.TemporaryDirectory(prefix="scalestudy-benchmark-") as folder:
        for name in ("cifar", "mnist"):
            trainer = make_trainer(make_run(name, Path(folder)), ALONE)
            trainer.train.start_epoch(trainer.run.seed, 0, trainer.samples)
            clocks = {"on": StepClock(1), "off": SilentClock(1), "again": SilentClock(1)}
            found = rounds(trainer, clocks, arguments.rounds)
            for what, one, kept in (("timers on / off", "on", costs), ("off / off (A/A)", "again", differences)):
                pairs = list(zip(found[one], found["off"], strict=True))
                wall, cpu = excess((a.wall_s, b.wall_s) for a, b in pairs), excess((a.cpu_s, b.cpu_s) for a, b in pairs)
                table.add_row(name, what, shown(wall), shown(cpu), str(len(pairs)))
                kept.append(cpu)
            step_s = statistics.median(one.cpu_s for one in found["off"])
            table.add_row(name, "marks of a step alone", f"{marks_s() * 1e6:.2f} µs", f"{marks_s() / step_s:.4%}", "")
    console.print(table)
    return exit_code(costs, differences)


if __name__ == "__main__":
    raise SystemExit(main())

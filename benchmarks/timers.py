"""What do the timers of the steps cost? ``python benchmarks/timers.py`` trains single steps with and without them.

A step with timers, one without, and another without are trained on the same batch, in an order drawn anew in every
round, the same on every rank: what disturbs the machine for longer than a step disturbs all three. Each of them has a
trainer of its own, since timers of ``ddp`` and ``hsdp`` put hooks into the model; where it lies in memory may make it
faster or slower, so they are loaded in all six orders, in new processes each time.

Shown is the median of the rounds' ratios with its 95 % interval, of the slowest rank's wall-clock time and of the CPU
time of all ranks, which other programs disturb less; beside it what the marks of a step of one device take when nothing
else is done. Exit code 1 unless every interval of the CPU time lies below 1 %, and that of two steps without timers
(A/A) within 1 %: else the machine is too noisy to tell.
"""

import argparse
import os
import random
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from math import inf
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch._dynamo  # noqa: F401 (the first optimizer would import it in every process)
from contestants import make_trainer, without_marks
from rich.console import Console
from rich.table import Table
from workloads import make_run

from scalestudy.analysis.statistics import Estimate, summarize
from scalestudy.spec.run import Run
from scalestudy.train.clock import BACKWARD, DATA, FORWARD, StepClock
from scalestudy.train.loop import Trainer
from scalestudy.train.processes import run_ranks
from scalestudy.train.processor import available_cores
from scalestudy.train.ranks import Rank

BAR = 0.01
MARKED_STEPS = 20_000
NETWORKS = ("cifar", "mnist")
LAYOUTS = {"serial": (1, 1), "data_parallel": (1, 2), "ddp": (1, 2), "hybrid": (2, 1), "hsdp": (1, 2)}
"""Nodes, simulated here, and devices per node of each strategy."""
Order = tuple[str, ...]
ORDERS: tuple[Order, ...] = tuple(permutations(("on", "off", "again")))
"""In which the trainer with timers and the two without are loaded, one order for each set of processes."""


@dataclass(frozen=True)
class Step:
    """Seconds of one step."""

    wall_s: float
    cpu_s: float


def train_step(trainer: Trainer, number: int) -> Step:
    """A step of an epoch, on the batch of this number, timed from outside."""
    size, clock = trainer.run.global_batch, trainer.clock
    clock.start_epoch()
    wall, cpu = perf_counter(), process_time()
    clock.start_step()
    trainer.strategy.step(trainer.optimizer, trainer.train, number * size, (number + 1) * size, clock)
    clock.optimizer_done()
    clock.end_epoch()
    return Step(perf_counter() - wall, process_time() - cpu)


def load(run: Run, rank: Rank, order: Order) -> dict[str, Trainer]:
    """A trainer with timers, ``on``, and two without, ``off`` and ``again``, at the beginning of an epoch."""
    cores, found = available_cores()[: run.cell.devices], {}
    for name in order:
        os.sched_setaffinity(0, cores)  # the one before has bound this thread to its own core
        trainer = make_trainer(run, rank)
        trainer.train.start_epoch(run.seed, 0, trainer.samples)
        found[name] = trainer if name == "on" else without_marks(trainer)
    return found


def rounds(trainers: dict[str, Trainer], count: int) -> dict[str, list[Step]]:
    """So many rounds of a step of each, each in an order of its own; a tenth more before them are not kept."""
    found: dict[str, list[Step]] = {name: [] for name in trainers}
    order, draw = sorted(trainers), random.Random(1)
    for number in range(-count // 10, count):
        draw.shuffle(order)
        for name in order:
            took = train_step(trainers[name], number % trainers[name].steps)
            if number >= 0:
                found[name].append(took)
    return found


def work(rank: Rank, run: Run, order: Order, count: int, folder: Path) -> int:
    """What one process does: seconds of each trainer's steps go to a file of its rank, ``[rounds, 2]``."""
    for name, steps in rounds(load(run, rank, order), count).items():
        np.save(folder / f"{name}{rank.rank}.npy", [(step.wall_s, step.cpu_s) for step in steps])
    return 0


def measure(run: Run, count: int, orders: Sequence[Order] = ORDERS) -> dict[str, list[Step]]:
    """The steps of a run with timers and without: the slowest rank's time, and the CPU time of all."""
    found: dict[str, list[Step]] = {name: [] for name in orders[0]}
    for order in orders:
        with tempfile.TemporaryDirectory(prefix="scalestudy-benchmark-") as folder:
            job = partial(work, run=run, order=order, count=count, folder=Path(folder))
            if code := run_ranks(job, run.processes):
                raise SystemExit(code)  # asked to stop
            for name in order:
                ranks = [np.load(Path(folder) / f"{name}{rank}.npy") for rank in range(run.processes)]
                wall_s, cpu_s = np.stack(ranks).transpose(2, 0, 1)  # each [ranks, rounds]
                found[name] += map(Step, wall_s.max(axis=0).tolist(), cpu_s.sum(axis=0).tolist())
    return found


def marks_s() -> float:
    """Seconds that the marks of one step of one device take."""
    clock = StepClock(1)
    clock.start_epoch()
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
    """0: timers surely cost less than the bar everywhere, and steps without any surely differ by less."""
    cheap = all(interval(one)[1] < BAR for one in costs)
    return 0 if cheap and all(max(map(abs, interval(one))) < BAR for one in differences) else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1500, help="of every network and strategy (1500)")
    parser.add_argument("--only", choices=LAYOUTS, action="append", help="this strategy only (may be repeated)")
    arguments = parser.parse_args()
    console = Console(width=max(Console().width, 140))
    strategies = arguments.only or list(LAYOUTS)
    if len(available_cores()) < max(nodes * devices for nodes, devices in map(LAYOUTS.__getitem__, strategies)):
        console.print("needs two cores, and may use one")
        return 2
    table = Table("strategy", "network", "what", "wall-clock", "CPU time", "rounds")
    costs: list[Estimate] = []
    differences: list[Estimate] = []
    with tempfile.TemporaryDirectory(prefix="scalestudy-benchmark-") as folder:
        for strategy, name in ((strategy, name) for strategy in strategies for name in NETWORKS):
            nodes, devices = LAYOUTS[strategy]
            run = make_run(name, Path(folder), strategy, devices, nodes=nodes)
            found = measure(run, arguments.rounds // len(ORDERS))
            for what, one, kept in (("timers on / off", "on", costs), ("off / off (A/A)", "again", differences)):
                pairs = list(zip(found[one], found["off"], strict=True))
                wall, cpu = excess((a.wall_s, b.wall_s) for a, b in pairs), excess((a.cpu_s, b.cpu_s) for a, b in pairs)
                table.add_row(strategy, name, what, shown(wall), shown(cpu), str(len(pairs)))
                kept.append(cpu)
            if strategy == "serial":
                marked, step_s = marks_s(), statistics.median(one.cpu_s for one in found["off"])
                share = f"{marked / step_s:.4%}"
                table.add_row(strategy, name, "marks of a step alone", f"{marked * 1e6:.2f} µs", share, "")
    console.print(table)
    return exit_code(costs, differences)


if __name__ == "__main__":
    raise SystemExit(main())

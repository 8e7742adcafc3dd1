"""What do the timers of the steps cost? ``python benchmarks/timers.py`` trains blocks of steps with and without them.

Blocks with timers, without, and without once more follow each other in an order drawn anew in every round, in one
process on one core, from the same weights. Beside wall-clock time stands the process's own CPU time, which other
programs on the machine disturb less, and what the marks of a step take when nothing else is done. Exit code 1 when
timers cost 1 % or more of the CPU time, and when two blocks without timers differ by 1 % or more of it (A/A): then the
machine is too noisy to tell.
"""

import argparse
import os
import random
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

from contestants import ALONE, SilentClock, from_start, make_trainer
from rich.console import Console
from rich.table import Table
from workloads import STEPS, make_run

from scalestudy.train.clock import BACKWARD, DATA, FORWARD, StepClock
from scalestudy.train.loop import Trainer

BAR = 0.01
MARKED_STEPS = 20_000


@dataclass(frozen=True)
class Block:
    """Seconds of one block of steps."""

    wall_s: float
    cpu_s: float


def block(trainer: Trainer, clock: StepClock) -> Callable[[], Block]:
    """The steps of an epoch, with this clock."""
    strategy, size = trainer.strategy, trainer.run.global_batch

    def train() -> Block:
        clock.start_epoch(trainer.steps)
        wall, cpu = perf_counter(), process_time()
        for step in range(trainer.steps):
            clock.start_step()
            strategy.step(trainer.optimizer, trainer.train, step * size, (step + 1) * size, clock)
            clock.optimizer_done()
        clock.end_epoch()
        return Block(perf_counter() - wall, process_time() - cpu)

    return from_start(strategy.plain, train)


def rounds(blocks: dict[str, Callable[[], Block]], count: int) -> dict[str, list[Block]]:
    """So many rounds of all blocks, each in an order of its own; two more before them are thrown away."""
    found: dict[str, list[Block]] = {name: [] for name in blocks}
    order, draw = list(blocks), random.Random(1)
    for number in range(count + 2):
        draw.shuffle(order)
        for name in order:
            took = blocks[name]()
            if number >= 2:
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


def quartiles(values: list[float]) -> str:
    first, middle, third = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:+.2%} ({first:+.2%} to {third:+.2%})"


def exit_code(costs: list[float], differences: list[float]) -> int:
    """0: timers cost less than the bar on every network, and blocks without any differ by less, either way."""
    return 0 if max(costs) < BAR and max(map(abs, differences)) < BAR else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25, help="of every network (25)")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    console = Console(width=max(Console().width, 130))
    table = Table("network", "what", "wall-clock", "CPU time", "rounds")
    shifts: dict[str, list[float]] = {"on": [], "again": []}
    with tempfile.TemporaryDirectory(prefix="scalestudy-benchmark-") as folder:
        for name in ("cifar", "mnist"):
            trainer = make_trainer(make_run(name, Path(folder)), ALONE)
            trainer.train.start_epoch(trainer.run.seed, 0, trainer.samples)
            silent = SilentClock(1)
            found = rounds(
                {"on": block(trainer, StepClock(1)), "off": block(trainer, silent), "again": block(trainer, silent)},
                arguments.rounds,
            )
            for what, one in (("timers on against off", "on"), ("off against off (A/A)", "again")):
                pairs = list(zip(found[one], found["off"], strict=True))
                wall = [a.wall_s / b.wall_s - 1 for a, b in pairs]
                cpu = [a.cpu_s / b.cpu_s - 1 for a, b in pairs]
                table.add_row(name, what, quartiles(wall), quartiles(cpu), str(len(pairs)))
                shifts[one].append(statistics.median(cpu))
            step_s = statistics.median(one.cpu_s for one in found["off"]) / STEPS[name]
            table.add_row(name, "marks of a step alone", f"{marks_s() * 1e6:.2f} µs", f"{marks_s() / step_s:.4%}", "")
    console.print(table)
    return exit_code(shifts["on"], shifts["again"])


if __name__ == "__main__":
    raise SystemExit(main())

"""Is training as fast as it can be? ``python benchmarks/trainer.py`` measures the bars of docs/trainer.md on two cores.

Exit code 1 when a bar is missed. Needs a quiet machine: the table says what share of it other programs took.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic

import torch
from contestants import course_style, device_threads, one_device, one_rank
from pairs import Contestant, Rounds, Team, play
from rich.console import Console
from rich.table import Table
from workloads import STEPS, make_run

from scalestudy.train.provenance import processor
from scalestudy.train.ranks import Rank

NETWORKS = {"cifar": "CIFAR CNN", "mnist": "MNIST CNN"}
COURSE_BAR = {"cifar": 1.75, "mnist": 1.45}
DDP_BAR = {"cifar": 0.85, "mnist": 0.66}
TINY_TURNS = 20
"""Turns of the tiny model's blocks for each round of the others."""


@dataclass(frozen=True)
class Row:
    """One bar and what was measured."""

    what: str
    bar: float
    at_most: bool
    """The bar is an upper limit."""
    values: list[float]
    again: list[float]
    """A/A ratios of the same rounds."""
    foreign: list[float]
    digits: int = 3

    @property
    def median(self) -> float:
        """Over the rounds."""
        return statistics.median(self.values)

    @property
    def passed(self) -> bool:
        """Whether the median meets the bar."""
        return self.median <= self.bar if self.at_most else self.median >= self.bar

    def quartiles(self, values: list[float]) -> str:
        """First and third quartile."""
        if len(values) < 2:
            return ""
        first, _, third = statistics.quantiles(values, n=4, method="inclusive")
        return f"{first:.{self.digits}f} to {third:.{self.digits}f}"


@dataclass(frozen=True)
class Bench:
    """Where a group of contestants finds its data and two cores, and for how many rounds they play."""

    storage: Path
    rounds: int
    cores: list[int]


@contextmanager
def teams(*made: Team) -> Iterator[list[Team]]:
    """Teams that end with the block."""
    try:
        yield list(made)
    finally:
        for team in made:
            team.close()


def ratio(rounds: Rounds, what: str, one: str, other: str, bar: float) -> Row:
    """A row of rates of one contestant over another's."""
    return Row(what, bar, False, rounds.ratios(one, other), rounds.again, rounds.foreign)


def alone(bench: Bench, name: str) -> list[Row]:
    """One device: the trainer, the plain loop, and what each part of the trainer costs."""
    build = one_device(make_run(name, bench.storage))
    with teams(Team([(bench.cores[:1], build)])) as (team,):
        images = 64 * STEPS[name]
        blocks = {block: Contestant(team, block, images, STEPS[name]) for block in team.names}
        rounds = play(blocks, "plain", bench.rounds)
    title = NETWORKS[name]
    faults = Row(
        f"minor page faults per step, {title}", 50, True, rounds.faults["trainer"], rounds.again, rounds.foreign, 1
    )
    return [
        ratio(rounds, f"trainer / best plain loop, {title}", "trainer", "plain", 0.98),
        ratio(rounds, f"data path / fixed batch, {title}", "plain", "fixed", 0.95),
        ratio(rounds, f"timers on / timers off, {title}", "trainer", "silent", 0.99),
        faults,
    ]


def overhead(bench: Bench) -> list[Row]:
    """Microseconds that the trainer adds to a step. Turns are short and many: what lasts longer disturbs both alike."""
    steps, batch = STEPS["tiny"], 8
    build = one_device(make_run("tiny", bench.storage, batch=batch))
    with teams(Team([(bench.cores[:1], build)])) as (team,):
        blocks = {block: Contestant(team, block, batch * steps, steps) for block in ("plain", "trainer")}
        rounds = play(blocks, "plain", TINY_TURNS * bench.rounds)
    pairs = zip(rounds.rates["trainer"], rounds.rates["plain"], strict=True)
    values = [1e6 * batch * (1 / ours - 1 / plain) for ours, plain in pairs]
    return [Row("overhead of a step, tiny model (µs)", 20, True, values, rounds.again, rounds.foreign, 1)]


def course(bench: Bench, name: str) -> list[Row]:
    """The trainer and the course-style loop on one core, each in a process of its own."""
    run = make_run(name, bench.storage)
    core = bench.cores[:1]
    with teams(Team([(core, one_device(run))]), Team([(core, course_style(run))])) as (ours, theirs):
        images = 64 * STEPS[name]
        blocks = {
            "trainer": Contestant(ours, "trainer", images, STEPS[name]),
            "course": Contestant(theirs, "course", images, STEPS[name]),
        }
        rounds = play(blocks, "trainer", bench.rounds)
    return [ratio(rounds, f"trainer / course-style loop, {NETWORKS[name]}", "trainer", "course", COURSE_BAR[name])]


def two_devices(bench: Bench, name: str) -> list[Row]:
    """Two devices, 64 images each: threads, ranks, and the ceiling of two independent processes."""
    serial, steps = make_run(name, bench.storage), STEPS[name]
    first, second = bench.cores[:1], bench.cores[1:2]
    threads = make_run(name, bench.storage, "data_parallel", devices=2)
    wide = make_run(name, bench.storage, batch=128, cores_per_device=2)
    with teams(
        Team([(first, one_device(serial)), (second, one_device(serial))]),
        Team([(bench.cores, device_threads(threads))]),
        Team([(bench.cores, one_device(wide))]),
        _ranks(bench, name, "auto"),
        _ranks(bench, name, "gloo"),
    ) as (independent, threaded, intra_op, shared, gloo):
        blocks = {
            "ceiling": Contestant(independent, "trainer", 64 * steps, steps),
            "threads": Contestant(threaded, "trainer", 128 * steps, steps),
            "intra-op": Contestant(intra_op, "plain", 128 * steps, steps),
            "threads, silent": Contestant(threaded, "silent", 128 * steps, steps),
            "ddp": Contestant(shared, "trainer", 64 * steps, steps, together=True),
            "ddp, silent": Contestant(shared, "silent", 64 * steps, steps, together=True),
            "bare": Contestant(shared, "bare", 64 * steps, steps, together=True),
            "gloo": Contestant(gloo, "trainer", 64 * steps, steps, together=True),
            "bare gloo": Contestant(gloo, "bare", 64 * steps, steps, together=True),
        }
        rounds = play(blocks, "ceiling", bench.rounds)
    title = NETWORKS[name]
    return [
        ratio(rounds, f"data_parallel / ceiling, {title}", "threads", "ceiling", 0.92),
        ratio(rounds, f"data_parallel / intra-op threads, {title}", "threads", "intra-op", 1.0),
        ratio(rounds, f"ddp (shared memory) / ceiling, {title}", "ddp", "ceiling", DDP_BAR[name]),
        ratio(rounds, f"ddp (gloo) / ceiling, {title}", "gloo", "ceiling", DDP_BAR[name]),
        ratio(rounds, f"ddp / bare DDP (shared memory), {title}", "ddp", "bare", 0.97),
        ratio(rounds, f"ddp / bare DDP (gloo), {title}", "gloo", "bare gloo", 0.97),
        ratio(rounds, f"timers on / timers off, data_parallel, {title}", "threads", "threads, silent", 0.99),
        ratio(rounds, f"timers on / timers off, ddp, {title}", "ddp", "ddp, silent", 0.99),
    ]


def _ranks(bench: Bench, name: str, communication: str) -> Team:
    run = make_run(name, bench.storage, "ddp", devices=2, options={"communication": communication})
    meeting = (bench.storage / f"store-{name}-{communication}").as_uri()
    members = [Rank(number, 2, meeting, one_machine=True) for number in range(2)]
    return Team([(bench.cores, one_rank(run, member)) for member in members])


GROUPS: dict[str, Callable[[Bench], list[Row]]] = {
    "alone-cifar": lambda bench: alone(bench, "cifar"),
    "alone-mnist": lambda bench: alone(bench, "mnist"),
    "overhead": overhead,
    "course-cifar": lambda bench: course(bench, "cifar"),
    "course-mnist": lambda bench: course(bench, "mnist"),
    "two-cifar": lambda bench: two_devices(bench, "cifar"),
    "two-mnist": lambda bench: two_devices(bench, "mnist"),
}
"""What is measured together, in turn."""


def show(rows: list[Row], console: Console, machine: str) -> None:
    """Print the table."""
    table = Table("what", "bar", "measured", "quartiles", "A/A", "A/A quartiles", "n", "others", "", title=machine)
    for row in rows:
        table.add_row(
            row.what,
            f"{'≤' if row.at_most else '≥'} {row.bar:g}",
            f"{row.median:.{row.digits}f}",
            row.quartiles(row.values),
            f"{statistics.median(row.again):.3f}",
            Row("", 0, False, row.again, [], []).quartiles(row.again),
            str(len(row.values)),
            f"{statistics.median(row.foreign):.1%}" if row.foreign else "unknown",
            "[green]met[/]" if row.passed else "[red]missed[/]",
        )
    console.print(table)


IN_FULL = {"best plain loop": "best plain tuned loop", "/ ceiling": "/ two independent processes"}
"""What the table on a terminal has no room for."""


def markdown(rows: list[Row], machine: str) -> str:
    """The table as the README prints it: rows of one comparison, which differ in the network, stand together."""
    kinds = list(dict.fromkeys(row.what.partition(", ")[0] for row in rows))
    lines = ["| what | bar | measured | quartiles | A/A |", "| --- | --- | --- | --- | --- |"]
    for row in sorted(rows, key=lambda row: kinds.index(row.what.partition(", ")[0])):
        what, microseconds, _ = row.what.partition(" (µs)")
        for short, full in IN_FULL.items():
            what = what.replace(short, full)
        unit = " µs" if microseconds else ""
        bar = f"{'≤' if row.at_most else '≥'} {row.bar:g}{unit}"
        measured = f"{row.median:.{row.digits}f}{unit}"
        again = f"{statistics.median(row.again):.3f}"
        lines.append(f"| {what} | {bar} | {measured} | {row.quartiles(row.values)} | {again} |")
    return "\n".join([*lines, "", f"Measured on: {machine}.", ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15, help="rounds of every comparison (15)")
    parser.add_argument("--only", choices=GROUPS, action="append", help="measure this group only (may be repeated)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every value of every round")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the table for the README")
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    console = Console(width=max(Console().width, 140))
    if len(cores) < 2:
        console.print("needs two cores, and may use one")
        return 2
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    machine = f"{processor()}, cores {cores[0]} and {cores[1]}, torch {torch.__version__}, {platform.release()}"
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="scalestudy-benchmark-") as folder:
        bench = Bench(Path(folder), arguments.pairs, cores)
        for name in arguments.only or GROUPS:
            begin = monotonic()
            rows += GROUPS[name](bench)
            console.print(f"{name}: {monotonic() - begin:.0f} s")
    show(rows, console, machine)
    if arguments.json:
        data = {"machine": machine, "rows": [asdict(row) | {"median": row.median} for row in rows]}
        arguments.json.write_text(json.dumps(data, indent=1))
    if arguments.markdown:
        arguments.markdown.write_text(markdown(rows, machine))
    return 0 if all(row.passed for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())

"""What does the image cost? ``python benchmarks/container.py images/image.json`` measures inside against outside.

Three processes train the same, each loaded once: one outside, one in the image, and another one outside, which shows
what two processes of the same program differ by. They train a few steps in turn, on the same core: steady state, in
images/s; what disturbs the machine for longer than a turn disturbs all three. Then all three are started anew, since a
process keeps what it got by chance at its start (where its memory lies): a start gives one ratio, the median of its
turns. Start-up is the time from starting a process to the end of its first epoch, each started alone.
It needs an environment outside that can train, with the same source, torch and Python as the image has: steps of a
Python that was built otherwise take another time. By the 95 % interval for the geometric mean of inside over outside,
exit code 0 when the image costs at most 1 % of the steady state, 1 when it costs more, and 2 when the interval does not
decide it, or would not tell of the image: another program, inside faster by more than 3 %, 5 % of the machine taken by
other programs, or the two processes outside apart by more than 1 % themselves.
"""

import argparse
import hashlib
import math
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from multiprocessing.connection import Client, Connection
from pathlib import Path
from time import monotonic, process_time
from typing import Any

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

import scalestudy
from scalestudy.analysis.load import LOAD_LIMIT
from scalestudy.analysis.statistics import Estimate, summarize_mean
from scalestudy.train.load import CpuTimes
from scalestudy.train.provenance import processor

BAR = 0.01
FASTER = 0.03
"""So much faster inside is no image's doing, wherever its files lie: something else differs."""
STEPS = 4
"""Steps of a turn: some 0.1 s."""
ORDERS = ((0, 1, 2), (0, 2, 1), (2, 1, 0), (1, 0, 2), (1, 2, 0), (2, 0, 1))
PATIENCE_S = 300.0
"""So long a worker may take for its start or a turn."""
HERE = Path(__file__)
OUTSIDE, INSIDE, AGAIN = PLACES = ("outside", "inside", "outside again")


def serve(address: str, name: str, storage: str) -> None:
    """The life of a worker: load a trainer, train steps whenever asked, answer with images/s and seconds of CPU."""
    from contestants import ALONE, epoch_of, make_trainer
    from timers import train_step
    from workloads import make_run

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    run = make_run(name, Path(storage))
    trainer = make_trainer(run, ALONE)
    with suppress(EOFError, ConnectionError), Client(address) as connection:  # who asked may have ended
        connection.send(program())
        epoch_of(trainer)
        connection.send((0.0, process_time()))
        trainer.train.start_epoch(run.seed, 0, trainer.samples)
        numbers = cycle(range(trainer.steps))
        while connection.recv():
            steps = [train_step(trainer, next(numbers)) for _ in range(STEPS)]
            rate = len(steps) * run.global_batch / sum(step.wall_s for step in steps)
            connection.send((rate, sum(step.cpu_s for step in steps)))


def program() -> str:
    """What trains here: Python's version, build and compiler, torch, and a hash of scalestudy's source."""
    import torch

    files = sorted(Path(scalestudy.__file__).parent.rglob("*.py"))
    source = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    return f"Python {' '.join(sys.version.split())}, torch {torch.__version__}, source {source}"


class Door:
    """Where workers connect to. It does not wait for one that has ended."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "socket")
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(self.address)
        self._socket.listen()
        self._socket.settimeout(0.2)

    def accept(self, process: subprocess.Popen[bytes]) -> Connection:
        """The connection of the process. Raises RuntimeError when it ends, or takes too long, before it connects."""
        end = monotonic() + PATIENCE_S
        while process.poll() is None and monotonic() < end:
            try:
                return Connection(self._socket.accept()[0].detach())
            except TimeoutError:
                continue
        code = process.poll()
        how = f"did not connect within {PATIENCE_S:g} s" if code is None else f"ended with code {code}"
        raise RuntimeError(f"a worker {how}: {process.args!r}")


def hear(connection: Connection) -> Any:
    """What a worker says next. Raises RuntimeError when it does not."""
    if not connection.poll(PATIENCE_S):
        raise RuntimeError(f"a worker did not answer within {PATIENCE_S:g} s")
    try:
        return connection.recv()
    except EOFError as error:
        raise RuntimeError("a worker ended before it answered") from error


def answer(connection: Connection) -> tuple[float, float]:
    """Images/s of a turn and its seconds of CPU. Raises RuntimeError where there is no answer."""
    rate, cpu_s = hear(connection)
    return float(rate), float(cpu_s)


@contextmanager
def worker(image: str, door: Door, name: str, storage: Path) -> Iterator[tuple[Connection, float, str]]:
    """A worker, outside or in an image, the seconds from its start to the end of its first epoch, and what it is."""
    before = [sys.executable, "-m", "scalestudy", "inside", image, "python"] if image else [sys.executable]
    begin = monotonic()
    process = subprocess.Popen([*before, HERE, "--serve", door.address, name, storage])
    try:
        with door.accept(process) as connection:
            trained = str(hear(connection))
            answer(connection)
            yield connection, monotonic() - begin, trained
            connection.send(False)
        process.wait(60)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


@dataclass
class Measured:
    """What all starts and turns gave, by place."""

    starts: dict[str, list[float]] = field(default_factory=lambda: {place: [] for place in PLACES})
    """Seconds."""
    rates: dict[str, list[float]] = field(default_factory=lambda: {place: [] for place in PLACES})
    """Images/s."""
    ratios: dict[str, list[float]] = field(default_factory=lambda: {INSIDE: [], AGAIN: []})
    """Images/s inside over the mean of both outside, and outside again over outside: a median by start."""
    foreign: list[float] = field(default_factory=list)
    """Share of the machine's time that other programs took, by start."""
    programs: set[str] = field(default_factory=set)
    """What trained, see ``program``."""

    def start(self, image: str, door: Door, name: str, storage: Path, number: int, turns: int) -> None:
        """Start all three anew and let them train in turn; every start has another order."""
        order = ordered(number)
        with ExitStack() as stack:
            workers: dict[str, Connection] = {}
            for place in order:
                one = worker(image if place == INSIDE else "", door, name, storage)
                workers[place], seconds, trained = stack.enter_context(one)
                self.starts[place].append(seconds)
                self.programs.add(trained)
            before = CpuTimes.now()
            rates, own = self._train(workers, range(number * turns, (number + 1) * turns))
            after = CpuTimes.now()
        self.foreign.append(max(0.0, after.busy - before.busy - own) / max(after.total - before.total, 1e-9))
        for place in PLACES:
            self.rates[place] += rates[place]
        outside = [statistics.fmean(pair) for pair in zip(rates[OUTSIDE], rates[AGAIN], strict=True)]
        for place, others in ((INSIDE, outside), (AGAIN, rates[OUTSIDE])):
            self.ratios[place].append(statistics.median(a / b for a, b in zip(rates[place], others, strict=True)))

    @staticmethod
    def _train(workers: dict[str, Connection], turns: Iterable[int]) -> tuple[dict[str, list[float]], float]:
        """Images/s by place and turn, and the seconds of CPU that it took; every turn has another order."""
        rates: dict[str, list[float]] = {place: [] for place in PLACES}
        own = 0.0
        for turn in turns:
            for place in ordered(turn):
                workers[place].send(True)
                rate, cpu_s = answer(workers[place])
                rates[place].append(rate)
                own += cpu_s
        return rates, own


def geometric_mean(ratios: Sequence[float]) -> Estimate:
    """With its 95 % interval: that of the mean logarithm, exponentiated.

    A start's ratio spreads by some 2 %; the interval for their median is a quarter wider, so that within 1 % takes half
    as many starts again.
    """
    mean = summarize_mean([math.log(ratio) for ratio in ratios])
    if mean.low is None or mean.high is None:
        return Estimate(math.exp(mean.value))
    return Estimate(math.exp(mean.value), math.exp(mean.low), math.exp(mean.high), mean.method)


def verdict(ratio: Estimate, again: float, foreign: float, programs: Collection[str]) -> tuple[int, str]:
    """Exit code and why: inside over outside, outside again over outside, the foreign load, and the programs that
    trained."""
    low, high = ratio.low, ratio.high
    obstacles = {
        f"several programs trained: {'; '.join(sorted(programs))}": len(programs) > 1,
        f"{foreign:.1%} foreign load, more than {LOAD_LIMIT:.0%}": foreign > LOAD_LIMIT,
        f"two processes outside differ by {abs(again - 1):.2%}, more than {BAR:.0%}": abs(again - 1) > BAR,
        f"inside is faster by more than {FASTER:.0%}, which no image makes": ratio.value > 1 + FASTER,
    }
    for obstacle, there in obstacles.items():
        if there:
            return 2, f"not decided: {obstacle}"
    if low is None or high is None:
        return 2, "not decided: too few starts for an interval"
    if low >= 1 - BAR:
        return 0, f"the image costs at most {BAR:.0%} of the steady state"
    if high < 1 - BAR:
        return 1, f"the image costs more than {BAR:.0%} of the steady state"
    return 2, f"not decided: the interval holds costs above and below {BAR:.0%}; more starts narrow it"


def ordered(number: int) -> list[str]:
    """The places in one of all their orders, in turn: each comes as often after each of the others, and never twice."""
    return [PLACES[place] for place in ORDERS[number % len(ORDERS)]]


def shown(values: list[float], unit: str) -> str:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.4g} {unit} ({low:.4g} to {high:.4g})"


def main() -> int:
    """Measure, print, and say by the exit code whether the bar was met; 3: nothing could be measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("image", nargs="?", help="the image.json that `scalestudy image` wrote")
    parser.add_argument("--starts", type=int, default=120, help="starts of all, at least 3; three take a minute")
    parser.add_argument("--turns", type=int, default=8, help="turns of steady state after each start")
    parser.add_argument("--network", default="cifar", choices=["cifar", "mnist"], help="what is trained")
    parser.add_argument("--serve", nargs=3, metavar=("ADDRESS", "NETWORK", "STORAGE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(*given.serve)
        return 0
    if not given.image or given.starts < 3 or given.turns < 1:
        parser.error("needs an image.json, at least 3 starts and a turn")
    found = Measured()
    with tempfile.TemporaryDirectory() as folder:
        try:
            door = Door(Path(folder))
            for number in range(given.starts):
                found.start(given.image, door, given.network, Path(folder), number, given.turns)
        except (RuntimeError, OSError) as error:
            print(f"container.py: {error}", file=sys.stderr)
            return 3
    inside, again = found.ratios[INSIDE], found.ratios[AGAIN]
    table = Table("what", *PLACES, "inside / outside", "outside again / outside", box=MARKDOWN)
    starts = [statistics.median(found.starts[place]) for place in PLACES]
    costs = [f"{seconds - starts[0]:+.2f} s" for seconds in starts[1:]]
    table.add_row("start-up", *(shown(found.starts[place], "s") for place in PLACES), *costs)
    steady = [shown(values, "") for values in (inside, again)]
    table.add_row("steady state", *(shown(found.rates[place], "images/s") for place in PLACES), *steady)
    Console(width=220).print(table)
    foreign = statistics.median(found.foreign)
    ratio, same = geometric_mean(inside), geometric_mean(again)
    for name, one in (("inside / outside", ratio), ("outside again / outside", same)):
        if one.low is not None:
            print(f"{name}: geometric mean {one.value:.4f}, 95 % interval {one.low:.4f} to {one.high:.4f}")
    code, words = verdict(ratio, same.value, foreign, found.programs)
    print(
        f"table: medians with quartiles; {given.starts} starts with {given.turns} turns of {STEPS} steps each, "
        f"{given.network}, one core of {processor()}, Linux {platform.release()}, {datetime.now(UTC):%Y-%m-%d}; "
        f"{foreign:.1%} foreign load; {words}"
    )
    return code


if __name__ == "__main__":
    sys.exit(main())

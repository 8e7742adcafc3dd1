"""What does the image cost? ``python benchmarks/container.py images/image.json`` measures inside against outside.

Start-up is the time from starting a process to its first step, in turn, every time anew. Steady state is images/s of
epochs of the trainer, in two processes that were loaded once and train in turn. Both need an environment outside that
can train, with the versions of the lock. Exit code 1 when steady state differs by more than 1 %.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from time import monotonic

from rich.console import Console
from rich.table import Table

BAR = 0.01
HERE = Path(__file__)


def serve(address: str, name: str, storage: str) -> None:
    """The life of a worker: load a trainer, then train an epoch whenever asked, and answer with its images/s."""
    from contestants import ALONE, epoch_of, make_trainer
    from workloads import make_run

    run = make_run(name, Path(storage))
    trainer = make_trainer(run, ALONE)
    with Client(address) as connection:
        epoch_of(trainer)
        connection.send("ready")
        while connection.recv():
            connection.send((run.train_samples or 0) / epoch_of(trainer))


@contextmanager
def worker(image: str, listener: Listener, name: str, storage: Path) -> Iterator[tuple[Connection, float]]:
    """A worker, outside or in an image, and the seconds from its start to the end of its first epoch."""
    before = ["scalestudy", "inside", image, "python"] if image else [sys.executable]
    begin = monotonic()
    process = subprocess.Popen([*before, HERE, "--serve", str(listener.address), name, storage])
    try:
        with listener.accept() as connection:
            connection.recv()
            yield connection, monotonic() - begin
            connection.send(False)
    finally:
        process.wait(60)


def asked(connection: Connection) -> float:
    """Images/s of one more epoch."""
    connection.send(True)
    return float(connection.recv())


def start_up(image: str, listener: Listener, name: str, storage: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds to the end of the first epoch, outside and inside, in turn."""
    found: dict[str, list[float]] = {"outside": [], "inside": []}
    for _ in range(rounds):
        for place, where in (("outside", ""), ("inside", image)):
            with worker(where, listener, name, storage) as (_, seconds):
                found[place].append(seconds)
    return found


def steady(image: str, listener: Listener, name: str, storage: Path, rounds: int) -> dict[str, list[float]]:
    """Images/s outside, inside and outside again, in turn; the order is reversed every other round."""
    rates: dict[str, list[float]] = {"outside": [], "inside": [], "again": []}
    with (
        worker("", listener, name, storage) as (outside, _),
        worker(image, listener, name, storage) as (inside, _),
    ):
        for number in range(rounds):
            first, middle, last = asked(outside), asked(inside), asked(outside)
            rates["inside"].append(middle)
            rates["outside" if number % 2 else "again"].append(first)
            rates["again" if number % 2 else "outside"].append(last)
    return rates


def shown(values: list[float], unit: str) -> str:
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.4g} {unit} ({low:.4g} to {high:.4g})"


def main() -> int:
    """Measure, print, and say by the exit code whether the bar was met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("image", nargs="?", help="the image.json that `scalestudy image` wrote")
    parser.add_argument("--rounds", type=int, default=25, help="turns of steady state (at least 5)")
    parser.add_argument("--starts", type=int, default=5, help="turns of start-up (at least 5)")
    parser.add_argument("--network", default="cifar", choices=["cifar", "mnist"], help="what is trained")
    parser.add_argument("--serve", nargs=3, metavar=("ADDRESS", "NETWORK", "STORAGE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(*given.serve)
        return 0
    if not given.image or min(given.rounds, given.starts) < 5:
        parser.error("needs an image.json, and at least 5 turns")
    with tempfile.TemporaryDirectory() as folder, Listener(f"{folder}/socket") as listener:
        starts = start_up(given.image, listener, given.network, Path(folder), given.starts)
        rates = steady(given.image, listener, given.network, Path(folder), given.rounds)
    outside = [statistics.fmean(pair) for pair in zip(rates["outside"], rates["again"], strict=True)]
    ratios = [inside / out for inside, out in zip(rates["inside"], outside, strict=True)]
    again = [one / other for one, other in zip(rates["again"], rates["outside"], strict=True)]
    table = Table("what", "outside", "inside", "inside / outside", "outside / outside")
    costs = statistics.median(starts["inside"]) - statistics.median(starts["outside"])
    table.add_row("start-up", shown(starts["outside"], "s"), shown(starts["inside"], "s"), f"{costs:+.2f} s", "")
    words = [shown(values, "") for values in (ratios, again)]
    table.add_row("steady state", shown(outside, "images/s"), shown(rates["inside"], "images/s"), *words)
    Console(width=160).print(table)
    print(f"medians with quartiles; {given.starts} starts and {given.rounds} turns, {given.network}, one core")
    return int(abs(statistics.median(ratios) - 1) > BAR)


if __name__ == "__main__":
    sys.exit(main())

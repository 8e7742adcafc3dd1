"""Is training on one GPU as fast as it can be? ``python benchmarks/gpu.py``; needs nothing but the repository.

The CIFAR CNN, batch 64, 10 epochs of 50,000 synthetic images of CIFAR-10's shape, random crop and flip: this trainer
with and without its CUDA graph, the plain loop with and without one, and the course-style loop. The goal is 2 s on an
H200 or H100; the course report needed 458 s. Without a GPU it says so and ends with exit code 0.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter

import torch
from contestants import ALONE, course_style, from_start, make_trainer
from pairs import Block, Build, Contestant, Team, play
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from scalestudy.spec.run import Cell, Run
from scalestudy.spec.workload import DataSpec, ModelSpec, OptimizerSpec, Workload
from scalestudy.train.data.batches import EpochBatches
from scalestudy.train.data.stage import prepare

IMAGES, EPOCHS, BATCH = 50_000, 10, 64
COURSE_IMAGES = 3_200
GOAL_S, COURSE_REPORT_S = 2.0, 458.0


def gpu_name() -> str:
    """The first GPU; empty where there is none. Asked in another process: one that used CUDA must not be forked."""
    code = "import torch; print(torch.cuda.get_device_name() if torch.cuda.is_available() else '')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def make_run(storage: Path, graph: bool, images: int = IMAGES, epochs: int = EPOCHS) -> Run:
    options = {"shape": [3, 32, 32], "classes": 10, "train": IMAGES, "test": 1000}
    data = DataSpec(name="synthetic", options=options, augment="crop_flip")
    return Run(
        study="benchmark",
        cell=Cell(workload="cifar", scaling="epoch", strategy="serial", nodes=1, devices_per_node=1),
        seed=1,
        workload=Workload(
            data=data.model_copy(update={"train": images}),
            model=ModelSpec(name="cifar_cnn"),
            optimizer=OptimizerSpec(name="sgd", lr=0.01, momentum=0.9),
            batch_size=BATCH,
            epochs=epochs,
            untimed_epochs=0,
            memory_format="channels_last",
        ),
        strategy_options={"cuda_graph": graph},
        device="cuda",
        cores_per_device=1,
        oversubscribed=False,
        data_folder=str(prepare(data, storage, download=False)),
    )


def trainer(run: Run) -> Build:
    """All epochs as a study trains and times them."""

    def load() -> Mapping[str, Block]:
        made = make_trainer(run, ALONE)

        def epochs() -> float:
            made.progress.epoch = 0
            made.progress.epochs.clear()
            made.run_to_end()
            return float(sum(epoch["time_s"] for epoch in made.progress.epochs))

        return {"run": from_start(made.strategy.plain, epochs)}

    return load


def plain(run: Run, graph: bool) -> Build:
    """The same epochs in a loop of a few lines; the batch after the last whole one is not captured."""

    def load() -> Mapping[str, Block]:
        made = make_trainer(run.model_copy(update={"strategy_options": {"cuda_graph": False}}), ALONE)
        model, optimizer, batches = made.strategy.plain, made.optimizer, made.train
        batches.start_epoch(run.seed, 0)

        def train(index: Tensor, shifts: Tensor) -> Tensor:
            optimizer.zero_grad()
            images, labels = batches.select(index, shifts)
            loss = functional.cross_entropy(model(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            return loss.detach()

        whole = _Captured(train, batches) if graph else train

        def epochs() -> float:
            seconds = 0.0
            for epoch in range(run.workload.epochs):
                batches.start_epoch(run.seed, epoch)
                total = torch.zeros((), dtype=torch.float64, device="cuda")
                torch.cuda.synchronize()
                begin = perf_counter()
                for start in range(0, IMAGES, BATCH):
                    index, shifts = batches.order[start : start + BATCH], batches.shifts[:, start : start + BATCH]
                    total += (whole if len(index) == BATCH else train)(index, shifts)
                torch.cuda.synchronize()
                seconds += perf_counter() - begin
            return seconds

        return {"run": from_start(model, epochs)}

    return load


class _Captured:
    """A step captured as torch's documentation does it: warmed up on a side stream, then replayed."""

    def __init__(self, train: Callable[[Tensor, Tensor], Tensor], batches: EpochBatches) -> None:
        self._index, self._shifts = batches.order[:BATCH].clone(), batches.shifts[:, :BATCH].clone()
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                train(self._index, self._shifts)
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._loss = train(self._index, self._shifts)

    def __call__(self, index: Tensor, shifts: Tensor) -> Tensor:
        self._index.copy_(index)
        self._shifts.copy_(shifts)
        self._graph.replay()
        return self._loss


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5, help="rounds of the comparison (5)")
    arguments = parser.parse_args()
    console = Console(width=max(Console().width, 120))
    name = gpu_name()
    if not name:
        console.print("no GPU: torch.cuda.is_available() is False here, so nothing was measured")
        return 0
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="scalestudy-benchmark-") as folder:
        graph, eager = (make_run(Path(folder), captured) for captured in (True, False))
        builds = {
            "plain loop, CUDA graph": plain(graph, graph=True),
            "trainer, CUDA graph": trainer(graph),
            "plain loop": plain(eager, graph=False),
            "trainer, no CUDA graph": trainer(eager),
            "course-style loop": course_style(make_run(Path(folder), graph=False, images=COURSE_IMAGES)),
        }
        made = {what: Team([(cores, load)]) for what, load in builds.items()}
        blocks = {
            what: Contestant(team, *(("course", COURSE_IMAGES) if "course" in what else ("run", IMAGES * EPOCHS)), 1)
            for what, team in made.items()
        }
        rounds = play(blocks, "plain loop, CUDA graph", arguments.pairs, warm_up=1)
        for team in made.values():
            team.close()
    table = Table("loop", "images/s", f"s for {EPOCHS} x {IMAGES:,}", "over plain loop with graph", title=name)
    for what in blocks:
        rate = statistics.median(rounds.rates[what])
        over = statistics.median(rounds.ratios(what, rounds.reference))
        table.add_row(what, f"{rate:,.0f}", f"{IMAGES * EPOCHS / rate:.2f}", f"{over:.3f}")
    console.print(table)
    seconds = IMAGES * EPOCHS / statistics.median(rounds.rates["trainer, CUDA graph"])
    console.print(
        f"A/A {statistics.median(rounds.again):.3f}, n = {arguments.pairs}; the course-style loop was timed on "
        f"{COURSE_IMAGES:,} images. Goal {GOAL_S:g} s: {'met' if seconds < GOAL_S else 'missed'}; the course report's "
        f"{COURSE_REPORT_S:g} s are {COURSE_REPORT_S / seconds:.0f} times as long."
    )
    return 0 if seconds < GOAL_S else 1


if __name__ == "__main__":
    raise SystemExit(main())

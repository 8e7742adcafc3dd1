"""Small trainings for the tests of the training layer: tiny data sets, tiny runs, each in processes of its own.

Ranks are forked from the test process, which has imported torch and runs no torch threads of its own: an import of
torch takes seconds, a fork milliseconds.
"""

import atexit
import os
import pickle
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch

from scalestudy.records.files import read_model
from scalestudy.records.paths import RunPaths
from scalestudy.records.result import Result
from scalestudy.spec.run import Cell, Run
from scalestudy.spec.workload import DataSpec, Workload
from scalestudy.train.context import Context
from scalestudy.train.control import Control, join_process_group
from scalestudy.train.data.batches import EpochBatches, ResidentImages
from scalestudy.train.data.stage import prepare
from scalestudy.train.job import Job, build, load_data, make_context
from scalestudy.train.launch import train
from scalestudy.train.processes import run_ranks
from scalestudy.train.ranks import Rank
from scalestudy.train.strategies.base import Strategy
from scalestudy.train.strategies.make import make_strategy

torch.set_num_threads(1)  # a pool of OpenMP threads would not survive the forks

TRAIN, TEST = 330, 101
OPTIONS = {"shape": [3, 8, 8], "classes": 4, "train": TRAIN, "test": TEST, "noise": 0.3}
ADAM = {"name": "adam", "lr": 0.002}
SGD = {"name": "sgd", "lr": 0.02, "momentum": 0.9, "weight_decay": 1e-4}
LAYOUTS = {"serial": (1, 1), "data_parallel": (1, 2), "ddp": (1, 2), "hybrid": (2, 1), "hsdp": (1, 2)}
"""The smallest layout on which each strategy is parallel."""


@cache
def import_what_ranks_need() -> None:
    """The slow imports that happen on first use, once, so that forked ranks have them."""
    import torch.distributed.fsdp
    import torch.nn.parallel

    torch.optim.Adam([torch.zeros(1, requires_grad=True)])


@cache
def data_folder(train: int = TRAIN) -> str:
    """The prepared synthetic data set, made once per test session."""
    storage = Path(tempfile.mkdtemp(prefix="scalestudy-test-"))
    atexit.register(shutil.rmtree, storage, ignore_errors=True)
    return str(prepare(DataSpec(name="synthetic", options=OPTIONS | {"train": train}), storage, download=False))


def make_run(
    strategy: str = "serial",
    layout: tuple[int, int] | None = None,
    *,
    scaling: str = "strong",
    seed: int = 1,
    options: dict[str, Any] | None = None,
    images: int = TRAIN,
    **workload: Any,
) -> Run:
    """A run of two short epochs; the MNIST CNN (without batch norm) unless another model is given."""
    nodes, devices = layout or LAYOUTS[strategy]
    model = workload.pop("model", "mnist_cnn")
    settings: dict[str, Any] = {"optimizer": ADAM, "batch_size": 32, "epochs": 2, "untimed_epochs": 0} | workload
    data = {"name": "synthetic", "options": OPTIONS | {"train": images}} | settings.pop("data", {})
    return Run(
        study="test",
        cell=Cell(workload="tiny", scaling=scaling, strategy=strategy, nodes=nodes, devices_per_node=devices),
        seed=seed,
        workload=Workload.model_validate({"data": data, "model": {"name": model}, **settings}),
        strategy_options=options or {},
        device="cpu",
        cores_per_device=1,
        oversubscribed=nodes * devices > len(os.sched_getaffinity(0)),
        data_folder=data_folder(images),
    )


def start(run: Run, folder: Path) -> int:
    """Train the run in child processes, as ``scalestudy train`` does; returns the exit code."""
    import_what_ranks_need()
    job = Job(run=run, paths=RunPaths(folder), title="test", started=time.time())
    if run.processes > 1:
        return train(job)
    return run_ranks(lambda _: train(job), 1)


def trained(run: Run, folder: Path) -> Result:
    """The result of a run that came to its end."""
    assert start(run, folder) == 0
    return read_model(RunPaths(folder).result, Result)


def on_ranks(work: Callable[[Rank], Any], ranks: int) -> list[Any]:
    """What a function returns on each of so many ranks."""
    import_what_ranks_need()
    with tempfile.TemporaryDirectory(prefix="scalestudy-test-") as folder:

        def keep(rank: Rank) -> int:
            (Path(folder) / str(rank.rank)).write_bytes(pickle.dumps(work(rank)))
            return 0

        run_ranks(keep, ranks)
        return [pickle.loads((Path(folder) / str(rank)).read_bytes()) for rank in range(ranks)]


class Parts:
    """What one rank of a run trains with, in float64 where asked for."""

    def __init__(self, run: Run, rank: Rank, dtype: torch.dtype = torch.float32) -> None:
        self.run = run
        self.context: Context = make_context(run, rank, dtype)
        loaded: tuple[EpochBatches, ResidentImages]
        self.prepared, loaded = load_data(run, self.context)
        self.train, self.test = loaded
        if rank.ranks > 1:
            join_process_group(rank.rank, rank.ranks, self.context.device, rank.init_method)
        self.control = Control(rank.ranks)
        self.model = build(run, self.prepared, self.context)[0]
        self.strategy: Strategy = make_strategy(self.context, self.model)


def learned(result: Result) -> list[tuple[float, float, float]]:
    """What an epoch record says of learning, without its times."""
    return [(epoch.train_loss, epoch.test_loss, epoch.test_accuracy) for epoch in result.epochs]

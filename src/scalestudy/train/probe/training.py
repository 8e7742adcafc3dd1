"""Serial training as a device of a layout would do it, with the very loop of the base."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch

from scalestudy.spec.probing import ProbedTraining, Probing
from scalestudy.spec.run import Run
from scalestudy.train.context import Context
from scalestudy.train.cuda_clock import clock_for
from scalestudy.train.job import build, load_data
from scalestudy.train.mesh import Mesh
from scalestudy.train.optimizer import make_optimizer
from scalestudy.train.probe.throughput import Piece, Works
from scalestudy.train.strategies.make import make_strategy


def trainings(probing: Probing, context: Context) -> Iterator[Callable[[], Works]]:
    """What makes each training that is probed; only one is in memory at a time."""
    for training in probing.trainings:
        yield lambda training=training: _works(training, context)  # type: ignore[misc]


def _works(training: ProbedTraining, context: Context) -> Works:
    base = training.run.workload.batch_size
    alone = _steps_of(training.run, base, context)
    return Works(
        work="training",
        alone=alone,
        together=alone if training.batch_size == base else _steps_of(training.run, training.batch_size, context),
        workload=training.workload,
        batch_size=training.batch_size,
        alone_batch_size=base,
    )


def _steps_of(run: Run, batch_size: int, context: Context) -> Piece:
    """One step after the other over the training images, beginning anew where they end."""
    run = serial(run, batch_size)
    alone = replace(context, run=run, rank=0, mesh=Mesh.of(run), notes=[])
    prepared, (batches, _) = load_data(run, alone)
    batches.start_epoch(run.seed, 0)
    strategy = make_strategy(alone, build(run, prepared, alone)[0])
    optimizer = make_optimizer(run.workload.optimizer, strategy.parameters(), strategy.fused_optimizer)
    clock = clock_for(alone.devices, 1)
    steps = max(1, len(batches) // batch_size)
    loss_sum = torch.zeros((), dtype=torch.float64, device=alone.device)
    number = 0

    def step() -> None:
        nonlocal number
        if number % steps == 0:
            clock.start_epoch()
        clock.start_step()
        start = number % steps * batch_size
        loss_sum.add_(strategy.step(optimizer, batches, start, start + batch_size, clock))
        clock.optimizer_done()
        number += 1

    return Piece(step, batch_size)


def serial(run: Run, batch_size: int) -> Run:
    """The run on one device with this batch size."""
    cell = run.cell.model_copy(
        update={"scaling": "epoch", "strategy": "serial", "label": "", "nodes": 1, "devices_per_node": 1}
    )
    workload = run.workload.model_copy(update={"batch_size": batch_size})
    return run.model_copy(update={"cell": cell, "workload": workload, "strategy_options": {}})

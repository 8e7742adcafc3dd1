"""Loss and accuracy on the test images, every device its share."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from scalestudy.train.context import Context
from scalestudy.train.control import Control
from scalestudy.train.strategies.base import Batches, Strategy

EVALUATION_BATCH = 250


def evaluate(strategy: Strategy, batches: Batches, samples: int, control: Control) -> tuple[float, float]:
    """Mean loss and accuracy (a fraction) over all test images, the same on every rank.

    Buffers (batch-norm statistics) are those of the first device everywhere. Every device makes the same number of
    forward passes, since those of a sharded model are collective.
    """
    context = strategy.context
    with torch.no_grad():
        control.broadcast(list(strategy.plain.buffers()))
        modules = strategy.evaluation_modules()
        share = -(-samples // context.mesh.devices)
        rounds = -(-share // EVALUATION_BATCH)
        numbers = context.device_numbers[: len(modules)] if len(modules) > 1 else context.device_numbers[:1]
        places = {number: _share_of(context, samples, number, len(modules)) for number in numbers}
        tasks = [
            _task(context, module, batches, places[number], rounds)
            for module, number in zip(modules, numbers, strict=True)
        ]
        sums = torch.stack(list(strategy.each_device(tasks))).sum(dim=0)
        total = control.gather(sums).sum(dim=0).tolist()
    return total[0] / samples, total[1] / samples


def _share_of(context: Context, samples: int, number: int, modules: int) -> tuple[int, int]:
    """Positions of a device's test images; one module for several devices has the shares of all of them."""
    first = context.mesh.share(samples, number)
    if modules == 1:
        return first[0], context.mesh.share(samples, context.device_numbers[-1])[1]
    return first


def _task(
    context: Context, module: nn.Module, batches: Batches, positions: tuple[int, int], rounds: int
) -> Callable[[], torch.Tensor]:
    def work() -> torch.Tensor:
        start, stop = positions
        rounds_here = max(rounds, -(-(stop - start) // EVALUATION_BATCH))
        sums = torch.zeros(2, dtype=torch.float64)
        training = module.training
        module.eval()
        with torch.no_grad():  # grad mode belongs to the thread
            for number in range(rounds_here):
                first = start + number * EVALUATION_BATCH
                last = min(first + EVALUATION_BATCH, stop)
                if first < last:
                    sums += _batch(context, module, batches, first, last)
                else:
                    _batch(context, module, batches, 0, 1)  # takes part, counts nothing
        module.train(training)
        return sums

    return work


def _batch(context: Context, module: nn.Module, batches: Batches, first: int, last: int) -> torch.Tensor:
    """Summed loss and number of right answers of one batch, float64 on the CPU."""
    images, labels = batches.batch(first, last)
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=context.autocast):
        outputs = module(images)
    outputs = outputs.float() if outputs.dtype == torch.bfloat16 else outputs
    loss = functional.cross_entropy(outputs, labels, reduction="sum")
    right = (outputs.argmax(dim=1) == labels).sum()
    return torch.stack([loss.double(), right.double()]).cpu()

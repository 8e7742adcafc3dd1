"""DataParallel: one process drives all devices of a node."""

import torch
from torch import Tensor, nn

from scalestudy.train.clock import BACKWARD, DATA, FORWARD, StepClock
from scalestudy.train.context import Context
from scalestudy.train.strategies.base import Batches, Strategy, add_up, split, sum_loss
from scalestudy.train.strategies.device_threads import ThreadedDevices

INSIDE = "nn.DataParallel communicates inside its own forward and backward passes"
FIRST_GPU_NOTE = "nn.DataParallel drives all GPUs of a process in step: the phases of the first one stand for all."


class GpuDataParallel(Strategy):
    """``torch.nn.DataParallel``: broadcasts weights and gathers outputs in every step, from one Python thread."""

    implementation = "torch.nn.DataParallel"

    def __init__(self, context: Context, model: nn.Module) -> None:
        super().__init__(context, model)
        self._wrapped = nn.DataParallel(model, device_ids=[device.index for device in context.devices])
        if len(context.devices) > 1:  # on one it calls the model and copies nothing
            self.not_apart = INSIDE
            context.notes.append(FIRST_GPU_NOTE)

    def gradients(self, batches: Batches, start: int, stop: int, clock: StepClock) -> Tensor:
        """Forward and backward over this process's part of the batch, which DataParallel scatters."""
        context, laps = self.context, clock.devices[0]
        numbers = context.device_numbers
        own_start = start + context.mesh.share(stop - start, numbers[0])[0]
        own_stop = start + context.mesh.share(stop - start, numbers[-1])[1]
        losses = []
        for first, last in split(own_start, own_stop, context.accumulate):
            images, labels = batches.batch(first, last)
            laps.lap(DATA)
            loss = sum_loss(context, self._wrapped, images, labels)
            laps.lap(FORWARD)
            (loss / (stop - start)).backward()  # type: ignore[no-untyped-call]
            laps.lap(BACKWARD)
            losses.append(loss.detach())
        if not losses:  # a batch smaller than the mesh
            for parameter in self.plain.parameters():
                parameter.grad = torch.zeros_like(parameter)
        return add_up(losses, context)


class CpuDataParallel(ThreadedDevices):
    """The shared-memory twin, since ``nn.DataParallel`` silently does nothing without GPUs."""

    implementation = "shared-memory twin of nn.DataParallel (one thread per CPU device)"


def DataParallel(context: Context, model: nn.Module) -> Strategy:  # noqa: N802 (stands for a class)
    """The one of the two that fits the run's devices."""
    return (GpuDataParallel if context.device.type == "cuda" else CpuDataParallel)(context, model)

"""DataParallel: one process drives all devices of a node."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from scalestudy.train.clock import BACKWARD, DATA, FORWARD, StepClock
from scalestudy.train.context import Context
from scalestudy.train.strategies.base import Batches, Strategy, add_up, split, sum_loss
from scalestudy.train.strategies.device_threads import ThreadedDevices

INSIDE = "nn.DataParallel communicates inside its own forward and backward passes"
FIRST_GPU_NOTE = "nn.DataParallel drives all GPUs of a process in step: the phases of the first one stand for all."


class DataParallelInShares(nn.DataParallel):  # type: ignore[type-arg]
    """Scatters a batch in the mesh's shares. Torch cuts other ones where a batch does not divide among the GPUs."""

    shares: Sequence[int] = ()
    """Images of each device; empty: as torch cuts them."""

    def scatter(self, inputs: tuple[Any, ...], kwargs: Any, device_ids: Sequence[Any]) -> tuple[Any, Any]:
        """The images of each device that has any; the shares of the last ones may be empty."""
        if not self.shares:
            scattered: tuple[Any, Any] = super().scatter(inputs, kwargs, device_ids)
            return scattered
        (images,) = inputs
        pieces = zip(images.split(list(self.shares)), device_ids, strict=True)
        own = [(piece.to(device, non_blocking=True),) for piece, device in pieces if len(piece)]
        return own, [kwargs] * len(own)


class GpuDataParallel(Strategy):
    """``torch.nn.DataParallel``: broadcasts weights and gathers outputs in every step, from one Python thread."""

    implementation = "torch.nn.DataParallel"

    def __init__(self, context: Context, model: nn.Module) -> None:
        super().__init__(context, model)
        self._wrapped = DataParallelInShares(model, device_ids=[device.index for device in context.devices])
        if len(context.devices) > 1:  # on one it calls the model and copies nothing
            self.not_apart = INSIDE
            context.notes.append(FIRST_GPU_NOTE)

    def gradients(self, batches: Batches, start: int, stop: int, clock: StepClock) -> Tensor:
        """Forward and backward over this process's part of the batch, which DataParallel scatters."""
        context, laps = self.context, clock.devices[0]
        numbers = context.device_numbers
        shares = [context.mesh.share(stop - start, number) for number in numbers]
        own_start, own_stop = start + shares[0][0], start + shares[-1][1]
        if context.accumulate == 1:  # else the devices share each piece of the batch
            self._wrapped.shares = [last - first for first, last in shares]
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

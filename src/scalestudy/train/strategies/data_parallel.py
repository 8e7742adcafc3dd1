"""DataParallel: one process drives all devices of a node."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from scalestudy.train.clock import BACKWARD, DATA, FORWARD, StepClock
from scalestudy.train.context import Context
from scalestudy.train.strategies.base import UNSUMMED, Batches, Strategy, add_up, split, sum_loss
from scalestudy.train.strategies.device_threads import ThreadedDevices

Positions = tuple[int, int]
"""Images ``[first, last)`` of a batch."""
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


class InBfloat16(nn.Module):
    """A model under autocast of its own: the threads of DataParallel know that there is autocast, and not which."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """The model's outputs."""
        with torch.autocast(images.device.type, dtype=torch.bfloat16):
            outputs: Tensor = self.model(images)
        return outputs


class GpuDataParallel(Strategy):
    """``torch.nn.DataParallel``: broadcasts weights and gathers outputs in every step, from one Python thread."""

    implementation = "torch.nn.DataParallel"

    def __init__(self, context: Context, model: nn.Module) -> None:
        super().__init__(context, model)
        inside = InBfloat16(model) if context.autocast else model
        self._wrapped = DataParallelInShares(inside, device_ids=[device.index for device in context.devices])
        if len(context.devices) > 1:  # on one it calls the model and copies nothing
            self.not_apart = INSIDE
            context.notes.append(FIRST_GPU_NOTE)
        else:
            self.silence = UNSUMMED

    def gradients(self, batches: Batches, start: int, stop: int, clock: StepClock) -> Tensor:
        """Forward and backward over this process's part of the batch, which DataParallel scatters."""
        context, laps = self.context, clock.devices[0]
        numbers = context.device_numbers
        shares = [context.mesh.share(stop - start, number) for number in numbers]
        losses = []
        for pieces in pieces_of_devices(shares, context.accumulate):
            self._wrapped.shares = [last - first for first, last in pieces]
            images, labels = _together(batches, start, pieces)
            laps.lap(DATA)
            loss = sum_loss(context, self._wrapped, images, labels)
            laps.lap(FORWARD)
            (loss / (stop - start)).backward()  # type: ignore[no-untyped-call]
            laps.lap(BACKWARD)
            losses.append(loss.detach())
        return add_up(losses, context)  # no loss and no gradient of a batch smaller than the mesh


def pieces_of_devices(shares: Sequence[Positions], accumulate: int) -> list[list[Positions]]:
    """What each device computes in each backward pass of a step: its own share, cut as on its own.

    A device whose share has fewer images than there are passes has nothing to do in the last ones.
    """
    cut = [split(first, last, accumulate) for first, last in shares]
    passes = max(map(len, cut))
    padded = [own + [(share[1], share[1])] * (passes - len(own)) for own, share in zip(cut, shares, strict=True)]
    return [list(pieces) for pieces in zip(*padded, strict=True)]


def _together(batches: Batches, start: int, pieces: Sequence[Positions]) -> tuple[Tensor, Tensor]:
    """One batch of the devices' pieces, in their order."""
    if all(here[1] == following[0] for here, following in pairwise(pieces)):
        return batches.batch(start + pieces[0][0], start + pieces[-1][1])
    parts = [batches.batch(start + first, start + last) for first, last in pieces if last > first]
    images, labels = zip(*parts, strict=True)
    return torch.cat(images), torch.cat(labels)


class CpuDataParallel(ThreadedDevices):
    """The shared-memory twin, since ``nn.DataParallel`` silently does nothing without GPUs."""

    implementation = "shared-memory twin of nn.DataParallel (one thread per CPU device)"


def DataParallel(context: Context, model: nn.Module) -> Strategy:  # noqa: N802 (stands for a class)
    """The one of the two that fits the run's devices."""
    return (GpuDataParallel if context.device.type == "cuda" else CpuDataParallel)(context, model)

"""Dropout that repeats although the devices of one process are threads.

Torch's dropout draws from one generator of the process, which threads reach in an order that nobody knows. Here each
device's layers draw from a generator of the device, which is seeded in every step from the process's own: what a
checkpoint keeps of that one is enough to go on with the same masks.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn


def _each_value(values: Tensor) -> Sequence[int]:
    return values.shape


def _each_channel(values: Tensor) -> Sequence[int]:
    return [*values.shape[:2], *[1] * (values.dim() - 2)]


MASKS: dict[type[nn.Module], Callable[[Tensor], Sequence[int]]] = {
    nn.Dropout: _each_value,
    nn.Dropout1d: _each_channel,
    nn.Dropout2d: _each_channel,
    nn.Dropout3d: _each_channel,
}
"""The layers that are known, and what their masks have a number for."""


class DeviceDropout:
    """The dropout layers of all devices of a process."""

    def __init__(self, replicas: Sequence[nn.Module]) -> None:
        self._generators = [torch.Generator() for _ in replicas]
        self._layers: list[nn.Module] = []
        for replica, generator in zip(replicas, self._generators, strict=True):
            for layer in replica.modules():
                if type(layer) in MASKS:
                    layer.forward = partial(_drop, layer, generator)
                    self._layers.append(layer)

    def start_step(self) -> None:
        """Seed the devices' generators from that of the process."""
        if any(layer.p for layer in self._layers):
            step = int(torch.randint(1 << 62, ()))
            for device, generator in enumerate(self._generators):
                generator.manual_seed(step + device)


def _drop(layer: nn.Module, generator: torch.Generator, input: Tensor) -> Tensor:  # noqa: A002 (torch's name)
    """What the layer does, with masks from this generator: zero with probability p, otherwise scaled by 1 / (1 - p)."""
    p = float(layer.p)  # type: ignore[arg-type]
    if p == 0 or not layer.training:
        return input
    mask = input.new_empty(MASKS[type(layer)](input)).bernoulli_(1 - p, generator=generator)
    if p < 1:
        mask.div_(1 - p)
    return input.mul_(mask) if layer.inplace else input * mask

"""Batches of an epoch: the data side of the trainer's hot path.

The images stay as bytes, resident in memory or on the device; a batch is a gather, an optional crop_flip, and one
pass that normalizes. Nothing is done per sample in Python, and nothing waits for the device.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from scalestudy.errors import StudyError
from scalestudy.train.data.augment import crop_flip, draw_shifts
from scalestudy.train.data.tensors import Split

PAGE = 4096
Batch = tuple[Tensor, Tensor]


class ResidentImages:
    """A split on its device, kept in the order of pixels that the batches need. Evaluation reads it with ``batch``.

    ``mean`` and ``std`` are per channel for pixel values in 0..1, as meta.json has them; a channel that never changes
    (std 0) is only shifted.
    """

    def __init__(
        self,
        split: Split,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        device: torch.device | str,
        dtype: torch.dtype,
        memory_format: torch.memory_format,
        pixels_last: bool = False,
    ) -> None:
        channels = split.images.shape[1]
        self.channels_last = memory_format == torch.channels_last
        # crop_flip gathers whole pixels, so it wants their channels side by side; for one channel both orders are one.
        self.pixels_last = self.channels_last or pixels_last
        images = split.images.permute(0, 2, 3, 1) if self.pixels_last else split.images
        images = images.to(device).contiguous()
        self.images = images
        self.labels = split.labels.to(device)
        self.dtype = dtype
        # One value per number of an image: broadcasting over an innermost axis of 3 channels is seven times slower.
        per_pixel = (1, 1, channels) if self.pixels_last else (channels, 1, 1)
        shift, scale = (
            torch.tensor(values, dtype=torch.float64).mul(factor).to(device, dtype).view(per_pixel)
            for values, factor in ((list(mean), 255.0), ([1 / (deviation or 1.0) for deviation in std], 1 / 255.0))
        )
        self.shift = shift.expand(images.shape[1:]).reshape(-1).contiguous()
        self.scale = scale.expand(images.shape[1:]).reshape(-1).contiguous()
        if images.device.type == "cpu":
            images.view(-1)[::PAGE].sum()  # map the file's pages now and not in the first timed steps

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, start: int, stop: int) -> Batch:
        """Images [start, stop) in the split's own order, normalized [B, C, H, W], and their labels int64 [B]."""
        return self.normalize(self.images[start:stop]), self.labels[start:stop]

    def normalize(self, images: Tensor) -> Tensor:
        """Bytes in the kept order to [B, C, H, W] in the memory format: ``(x / 255 - mean) / std``."""
        flat = images.reshape(len(images), -1).to(self.dtype).sub_(self.shift).mul_(self.scale)
        shaped = flat.view(images.shape)
        if not self.pixels_last:
            return shaped
        shaped = shaped.permute(0, 3, 1, 2)
        # The view gives one channel the strides of this order: torch would take those that it has for channels last.
        return shaped if self.channels_last else shaped.contiguous().view(shaped.shape)


class EpochBatches:
    """Training batches of one epoch after the other, addressed by position, so that ranks can share an epoch.

    ``batch(a, b)`` is the same whoever asks: what ranks see together is what a serial run sees.
    """

    def __init__(
        self,
        split: Split,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        augment: Literal["none", "crop_flip"] = "none",
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        self.augment = augment == "crop_flip"
        self.resident = ResidentImages(
            split,
            mean=mean,
            std=std,
            device=device,
            dtype=dtype,
            memory_format=memory_format,
            pixels_last=self.augment,
        )
        self.order = torch.empty(0, dtype=torch.int64, device=device)
        """Images of the epoch, int64 [n]."""
        self.shifts = torch.empty(3, 0, dtype=torch.int64, device=device)
        """Augmentation of each position, int64 [3, n] (see augment.py)."""

    def start_epoch(self, seed: int, epoch: int, samples: int | None = None) -> None:
        """Draw the order of the images and every augmentation of the epoch from (seed, epoch).

        ``samples``: use only so many of the images (None: all). Raises StudyError when there are fewer.
        """
        available = len(self.resident)
        count = available if samples is None else samples
        if count > available:
            raise StudyError(f"an epoch of {count} training images was asked for, but there are only {available}")
        state = int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0])
        generator = torch.Generator().manual_seed(state)  # on the CPU, so that every device draws the same
        device = self.resident.labels.device
        self.order = torch.randperm(available, generator=generator)[:count].to(device)
        if self.augment:
            self.shifts = draw_shifts(count, generator).to(device)

    def __len__(self) -> int:
        """Images of the epoch."""
        return len(self.order)

    def batch(self, start: int, stop: int) -> Batch:
        """Positions [start, stop) of the epoch: normalized images [B, C, H, W] and labels int64 [B]."""
        return self.select(self.order[start:stop], self.shifts[:, start:stop])

    def select(self, index: Tensor, shifts: Tensor) -> Batch:
        """The same from slices of ``order`` and ``shifts``, for a captured graph that reads them from fixed places."""
        images = self.resident.images.index_select(0, index)
        if self.augment:
            images = crop_flip(images, shifts)
        return self.resident.normalize(images), self.resident.labels.index_select(0, index)

"""Networks that are slow in a known way, named in runs by their import path."""

import os
import time
from pathlib import Path

import torch.distributed as dist
from torch import Tensor, nn

from scalestudy.train.models.cifar_cnn import CifarCNN

SLOW_RANK = 1
SLOW_S = 0.2
STEP_S = 0.5


class SlowOnOneRank(nn.Sequential):
    """Two small layers; one rank also loses SLOW_S in every forward pass."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        pixels = shape[0] * shape[1] * shape[2]
        super().__init__(nn.Flatten(), nn.Linear(pixels, 256), nn.ReLU(), nn.Linear(256, classes))

    def forward(self, images: Tensor) -> Tensor:
        if dist.is_initialized() and dist.get_rank() == SLOW_RANK and self.training:
            time.sleep(SLOW_S)
        return super().forward(images)


class SlowInEveryStep(nn.Sequential):
    """One small layer, and a pause of STEP_S in every forward pass of the training: it takes as long everywhere."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], classes))

    def forward(self, images: Tensor) -> Tensor:
        if self.training:
            time.sleep(STEP_S)
        return super().forward(images)


HOLD = "SLOW_MODELS_HOLD"
"""Environment variable: a file. As long as it is there, HeldInAStep waits in a step, which ``FILE.held`` tells of."""
HELD_STEP = 140


class HeldInAStep(CifarCNN):
    """The CIFAR CNN, held in its HELD_STEP-th training step until a file is gone: a moment that a test can act in."""

    passes = 0

    def forward(self, images: Tensor) -> Tensor:
        self.passes += self.training
        hold = os.environ.get(HOLD)
        if hold and self.training and self.passes == HELD_STEP:
            Path(f"{hold}.held").touch()
            while Path(hold).exists():
                time.sleep(0.01)
        return super().forward(images)

"""The CIFAR-10 network of the course report."""

from torch import nn

from scalestudy.errors import StudyError

WIDTHS = (32, 64, 128)
"""Channels after each block."""


class CifarCNN(nn.Sequential):
    """Three blocks of conv (3x3, padding 1), batch norm, ReLU, max-pool 2; then linear 256, ReLU, linear.

    For images [3, 32, 32] of ten classes 620,810 parameters (2.5 MB of gradients in float32).
    Raises StudyError when the images are smaller than 8x8.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        channels, height, width = shape
        shrink = 2 ** len(WIDTHS)
        if min(height, width) < shrink:
            raise StudyError(f"model cifar_cnn: needs images of at least {shrink}x{shrink}, and got {height}x{width}")
        super().__init__()
        for number, width_out in enumerate(WIDTHS, start=1):
            self.add_module(f"conv{number}", nn.Conv2d(channels, width_out, kernel_size=3, padding=1))
            self.add_module(f"norm{number}", nn.BatchNorm2d(width_out))
            self.add_module(f"relu{number}", nn.ReLU())
            self.add_module(f"pool{number}", nn.MaxPool2d(2))
            channels = width_out
        self.flatten = nn.Flatten()
        self.linear1 = nn.Linear(channels * (height // shrink) * (width // shrink), 256)
        self.relu4 = nn.ReLU()
        self.linear2 = nn.Linear(256, classes)

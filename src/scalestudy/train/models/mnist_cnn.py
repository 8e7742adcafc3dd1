"""The MNIST network of the course report."""

from torch import nn

from scalestudy.errors import StudyError


class MnistCNN(nn.Sequential):
    """One convolution and two linear layers: conv to 32 channels (3x3, no padding), ReLU, linear 128, ReLU, linear.

    The ReLU between the linear layers is an addition to the course report's list of layers.
    For images [1, 28, 28] of ten classes 2,770,634 parameters, nearly all of them in the first linear layer.
    Raises StudyError when the images are smaller than 3x3.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        channels, height, width = shape
        if min(height, width) < 3:
            raise StudyError(f"model mnist_cnn: needs images of at least 3x3, and got {height}x{width}")
        super().__init__()
        self.conv = nn.Conv2d(channels, 32, kernel_size=3)
        self.relu1 = nn.ReLU()
        self.flatten = nn.Flatten()
        self.linear1 = nn.Linear(32 * (height - 2) * (width - 2), 128)
        self.relu2 = nn.ReLU()
        self.linear2 = nn.Linear(128, classes)

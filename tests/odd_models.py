"""Small models that are ordinary in practice and odd for a strategy; a run names them ``odd_models:Name``."""

import math
import random
import time

import torch
from torch import Tensor, nn

HIDDEN = 8


class _Perceptron(nn.Module):
    """Images through one hidden layer; what comes between its two layers is for subclasses to say."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.first = nn.Linear(shape[0] * shape[1] * shape[2], HIDDEN)
        self.between: nn.Module = nn.ReLU()
        self.last = nn.Linear(HIDDEN, classes)

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = self.last(self.between(self.first(images.flatten(1))))
        return scores


class Dropping(_Perceptron):
    """With dropout."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__(shape, classes)
        self.between = nn.Sequential(nn.ReLU(), nn.Dropout(0.5))


class DroppingAtAnyTime(Dropping):
    """Comes to its dropout after another while each time, as threads do on a busy machine."""

    def forward(self, images: Tensor) -> Tensor:
        time.sleep(random.SystemRandom().uniform(0, 0.004))
        return super().forward(images)


class DroppingByFunction(_Perceptron):
    """With dropout that is no layer."""

    def forward(self, images: Tensor) -> Tensor:
        hidden = nn.functional.dropout(self.first(images.flatten(1)), 0.5, self.training)
        scores: Tensor = self.last(hidden)
        return scores


class Normalizing(_Perceptron):
    """With batch norm over vectors, which cannot train on one image."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__(shape, classes)
        self.between = nn.Sequential(nn.BatchNorm1d(HIDDEN), nn.ReLU())


class Transposed(_Perceptron):
    """With a weight whose gradient autograd computes in another memory layout."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__(shape, classes)
        self.weight = nn.Parameter(self.first.weight.detach().t().contiguous())
        del self.first

    def forward(self, images: Tensor) -> Tensor:
        hidden = (self.weight.t() @ images.flatten(1).t()).t()
        scores: Tensor = self.last(self.between(hidden))
        return scores


class Unused(_Perceptron):
    """With a layer that nothing depends on."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__(shape, classes)
        self.unused = nn.Linear(HIDDEN, HIDDEN)


class Frozen(_Perceptron):
    """With a first layer that is not to be trained."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__(shape, classes)
        self.first.requires_grad_(False)


class Tied(_Perceptron):
    """With two layers that have one weight."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__(shape, classes)
        one, two = nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, HIDDEN)
        two.weight = one.weight
        self.between = nn.Sequential(nn.Tanh(), one, nn.Tanh(), two)


class OnlyInBfloat16(_Perceptron):
    """Refuses to be trained in another precision."""

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = super().forward(images)
        assert not self.training or scores.dtype == torch.bfloat16, scores.dtype
        return scores


class LeavingOut(_Perceptron):
    """Leaves its inner layer out by a number that is drawn on the host."""

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.first(images.flatten(1))
        scores: Tensor = self.last(hidden if self.training and random.random() < 0.5 else self.between(hidden))
        return scores


class HeadFirst(nn.Module):
    """Registers the head before the body, whose first layer computes first: its gradients come last.

    The first layer takes that long to compute them.
    """

    backward_s = 0.0

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(HIDDEN, classes)
        self.unused = nn.Linear(2, 2).requires_grad_(False)
        self.body = nn.Sequential(
            nn.Flatten(), nn.Linear(math.prod(shape), HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN)
        )

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.body[1](self.body[0](images))
        if hidden.requires_grad:
            hidden.register_hook(lambda _: time.sleep(self.backward_s))
        return self.head(self.body[3](self.body[2](hidden)))

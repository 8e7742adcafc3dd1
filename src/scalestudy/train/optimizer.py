"""The optimizer, and the learning rate over the steps."""

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.optim import SGD, Adam, Optimizer

from scalestudy.spec.run import Run
from scalestudy.spec.workload import OptimizerSpec

LR_FACTORS: dict[str, Callable[[float], float]] = {"none": lambda _: 1.0, "linear": lambda k: k, "sqrt": math.sqrt}
"""Learning-rate scaling by the global batch over the base's: Goyal et al. 2017 (linear), Krizhevsky 2014 (sqrt)."""


def make_optimizer(spec: OptimizerSpec, parameters: list[nn.Parameter], fused: bool) -> Optimizer:
    """The optimizer at its configured learning rate."""
    makers: dict[str, Callable[[], Optimizer]] = {
        "adam": lambda: Adam(parameters, lr=spec.lr, weight_decay=spec.weight_decay, fused=fused or None),
        "sgd": lambda: SGD(
            parameters, lr=spec.lr, momentum=spec.momentum, weight_decay=spec.weight_decay, fused=fused or None
        ),
    }
    return makers[spec.name]()


class LearningRate:
    """The learning rate of each step: scaled by the global batch, rising linearly while it warms up."""

    def __init__(self, run: Run, optimizer: Optimizer, steps_per_epoch: int) -> None:
        ratio = run.global_batch / run.workload.batch_size
        self._peak = run.workload.optimizer.lr * LR_FACTORS[run.workload.lr_scaling](ratio)
        self._warmup_steps = round(run.workload.warmup_epochs * steps_per_epoch)
        self._optimizer = optimizer
        self._current = math.nan

    def at(self, step: int) -> float:
        """The rate of a step counted over all epochs."""
        return self._peak * min(1.0, (step + 1) / self._warmup_steps) if self._warmup_steps else self._peak

    def set(self, step: int) -> None:
        """Give the optimizer the rate of this step."""
        rate = self.at(step)
        if rate != self._current:
            self._current = rate
            for group in self._optimizer.param_groups:
                if isinstance(group["lr"], torch.Tensor):
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate

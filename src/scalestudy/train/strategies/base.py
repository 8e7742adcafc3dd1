"""What every strategy does: apply itself to a plain model, compute gradients of a batch, and say what it did."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from scalestudy.train.clock import StepClock
from scalestudy.train.context import Context

UNSUMMED = "gradients that are not summed"
"""What strategies do in place of communicating that sum gradients by themselves."""


class Batches(Protocol):
    """Where a strategy gets its shares from (train/data/batches.py)."""

    def batch(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Images and labels at these positions of the epoch's order."""


class Strategy(ABC):
    """One way to train a model on the devices of a run.

    A strategy is made once per process. It owns the modules that compute; the loop owns the optimizer over
    ``parameters()``. After ``gradients`` every parameter's ``grad`` is that of the mean loss over the global batch.
    """

    implementation: str
    """What really runs, for the records."""
    not_apart = ""
    """Why exposed communication is not measured apart from the forward and backward passes; empty: it is."""
    silence = ""
    """What it does instead of communicating where its context does not communicate; empty: it cannot do without."""
    fused_optimizer = True
    """Whether the optimizer may be a fused one."""
    not_in_phases = ""
    """Why no phase of a step is known and only the whole step is timed; empty: phases are known."""
    passes_before = 0
    """Gradient passes that leave nothing behind, to be made before the first step of every start: what depends on how
    many there were must not differ between a run that was resumed and one that never stopped."""
    resumes = True
    """Whether a checkpoint holds all that it needs to go on; otherwise an interrupted run starts anew."""
    owns_full_state = True
    """Whether rank 0's state is everybody's; otherwise each rank saves its own shard."""

    def __init__(self, context: Context, model: nn.Module) -> None:
        self.context = context
        self.weights = Weights(context)
        self.plain = model
        """The model whose parameters are trained, without any wrapper."""

    @property
    def separates_communication(self) -> bool:
        """Whether exposed communication is measured apart from the forward and backward passes."""
        return not self.not_apart

    @property
    def meetings(self) -> tuple[range, ...]:
        """The ranks that come to each meeting of a step that this rank comes to; to the last one all of them."""
        return (range(self.context.mesh.processes),)

    def host_clock(self) -> StepClock:
        """A clock of this process that fits the strategy; its times are the host's, whatever the device."""
        return StepClock(len(self.modules()), len(self.meetings))

    def parameters(self) -> list[nn.Parameter]:
        """The parameters for the optimizer of this process."""
        return list(self.plain.parameters())

    @abstractmethod
    def gradients(self, batches: Batches, start: int, stop: int, clock: StepClock) -> Tensor:
        """Compute the gradients of the batch at positions ``[start, stop)``, all ranks together.

        Returns the loss summed over this process's share, a tensor on its first device that is not read.
        """

    def step(self, optimizer: Optimizer, batches: Batches, start: int, stop: int, clock: StepClock) -> Tensor:
        """Train one step on the batch at positions ``[start, stop)``; returns what ``gradients`` returns.

        The result may be overwritten by the next step.
        """
        optimizer.zero_grad()
        loss = self.gradients(batches, start, stop, clock)
        self.update(optimizer)
        return loss

    def update(self, optimizer: Optimizer) -> None:
        """Let the optimizer update the parameters by their gradients."""
        optimizer.step()

    def modules(self) -> list[nn.Module]:
        """The modules that compute, one per device of this process."""
        return [self.plain]

    def evaluation_modules(self) -> list[nn.Module]:
        """The modules that evaluate, all with the same parameters and buffers."""
        return [self.plain]

    def each_device(self, work: Iterable[Any]) -> Iterator[Any]:
        """Run one callable per evaluation module; results in their order."""
        return (task() for task in work)

    def full_tensors(self, tensors: Iterable[Tensor]) -> list[Tensor]:
        """The whole of parameters or gradients, gathered where they are sharded. All ranks call it together."""
        return [tensor.detach() for tensor in tensors]

    def close(self) -> None:
        """Give threads and communicators back."""


def sum_loss(context: Context, module: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy summed over the images, in the run's precision."""
    if context.autocast:
        with torch.autocast(images.device.type, dtype=torch.bfloat16):
            outputs = module(images)
        return functional.cross_entropy(outputs.float(), labels, reduction="sum")
    return functional.cross_entropy(module(images), labels, reduction="sum")


class Weights:
    """What a summed loss counts in the mean over the batch, as the gradient that its backward pass starts from.

    That is the same as scaling the loss, without the operation and its backward pass.
    """

    def __init__(self, context: Context) -> None:
        self._like = torch.ones((), dtype=context.dtype, device=context.device)
        self._known: dict[float, Tensor] = {}

    def of(self, weight: float) -> Tensor:
        """The weight as a tensor, made once: an epoch has two kinds of batches."""
        if weight not in self._known:
            self._known[weight] = self._like * weight
        return self._known[weight]


def add_up(losses: list[Tensor], context: Context) -> Tensor:
    """The sum of the losses of a process's pieces; zero for none."""
    if len(losses) == 1:
        return losses[0]
    if not losses:
        return torch.zeros((), dtype=context.dtype, device=context.device)
    return torch.stack(losses).sum()


def split(start: int, stop: int, parts: int) -> list[tuple[int, int]]:
    """Cut positions ``[start, stop)`` into at most so many non-empty neighbors whose sizes differ by one at most."""
    size = stop - start
    if parts == 1 and size:
        return [(start, stop)]
    parts = min(parts, size)
    edges = [start + size * part // parts for part in range(parts + 1)] if parts else [start]
    return list(pairwise(edges))

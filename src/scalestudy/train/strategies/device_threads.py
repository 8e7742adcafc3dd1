"""Gradients over the CPU devices of one process, with the time of each device. Shared by DataParallel and Hybrid."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from scalestudy.train.clock import BACKWARD, COMMUNICATION, DATA, FORWARD, WAITING, DeviceClock, StepClock
from scalestudy.train.context import Context
from scalestudy.train.strategies.base import UNSUMMED, Batches, Strategy, add_up, split, sum_loss
from scalestudy.train.strategies.device_dropout import DeviceDropout
from scalestudy.train.strategies.divided_update import DividedUpdate
from scalestudy.train.strategies.threads import DeviceThreads, GradientSum, divided, replicas_sharing_parameters

Gradients = list[Tensor | None]
Result = tuple[Tensor, Gradients]
"""Loss and gradients of a device's share."""
RANDOM_NOTE = (
    "The model draws random numbers outside of nn.Dropout layers, or is compiled: threads draw them in no fixed order, "
    "so the run does not repeat exactly."
)


class ThreadedDevices(Strategy):
    """Computes gradients on one thread per device of this process and sums them in the order of the devices."""

    silence = UNSUMMED

    def __init__(self, context: Context, model: nn.Module) -> None:
        super().__init__(context, model)
        count = len(context.devices)
        self._replicas = replicas_sharing_parameters(model, count)
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._threads = DeviceThreads(context.cores, context.run.cores_per_device)
        shares = divided(self._parameters, count)
        self._sum = GradientSum(shares)
        self._update = DividedUpdate(self._parameters, shares, self._threads)
        repeats = count == 1 or context.run.workload.compile  # compiled layers draw in their own way
        self._dropout = DeviceDropout([] if repeats else self._replicas)
        self._watched = count == 1

    def modules(self) -> list[nn.Module]:
        """One replica per device."""
        return self._replicas

    def evaluation_modules(self) -> list[nn.Module]:
        """The replicas, all with the first one's buffers."""
        buffers = list(self._replicas[0].buffers())
        for replica in self._replicas[1:]:
            for target, source in zip(replica.buffers(), buffers, strict=True):
                target.copy_(source)
        return self._replicas

    def each_device(self, work: Iterable[Any]) -> Iterator[Any]:
        """Run the tasks side by side."""
        return iter(self._threads.run(list(work)))

    def gradients(self, batches: Batches, start: int, stop: int, clock: StepClock) -> Tensor:
        """Each device its share; then the sum, divided among the threads."""
        context = self.context
        shares = [context.mesh.share(stop - start, device) for device in context.device_numbers]
        weight = self.weights.of(1.0 / (stop - start))
        busy = [place for place, (first, last) in enumerate(shares) if last > first]
        tasks = [
            lambda place=place: self._compute(
                place, batches, start + shares[place][0], start + shares[place][1], weight, clock.devices[place]
            )
            for place in busy
        ]
        results = self._compute_side_by_side(tasks)
        self._wait(clock, range(len(shares)))
        if not results:  # a batch smaller than the mesh: this process adds nothing
            for parameter in self._parameters:
                parameter.grad = None
            return add_up([], context)
        gradients = [gradient for _, gradient in results]
        if len(gradients) > 1 and context.communicates:
            _complete(gradients, self._parameters)
            self._threads.run(self._sum.tasks(gradients))
        for parameter, gradient in zip(self._parameters, gradients[0], strict=True):
            parameter.grad = gradient
        now = clock.now()
        for laps in clock.devices:
            laps.lap(COMMUNICATION, now)
        return add_up([loss for loss, _ in results], context)

    def update(self, optimizer: Optimizer) -> None:
        """Each thread its rows of the parameters."""
        self._update.step(optimizer)

    def _compute_side_by_side(self, tasks: Sequence[Callable[..., Result]]) -> list[Result]:
        """What the busy devices compute, each on its thread; says so once where their random numbers have no order."""
        self._dropout.start_step()
        before = None if self._watched else torch.get_rng_state()
        results: list[Result] = self._threads.run(tasks) if tasks else []
        if before is not None:
            self._watched = True
            if not torch.equal(before, torch.get_rng_state()):
                self.context.notes.append(RANDOM_NOTE)
        return results

    def _compute(
        self, place: int, batches: Batches, start: int, stop: int, weight: Tensor, laps: DeviceClock
    ) -> Result:
        """Loss and gradients of one device's share."""
        total: Gradients = []
        losses = []
        for first, last in split(start, stop, self.context.accumulate):
            images, labels = batches.batch(first, last)
            laps.lap(DATA)
            loss = sum_loss(self.context, self._replicas[place], images, labels)
            laps.lap(FORWARD)
            found = torch.autograd.grad(loss, self._parameters, weight, allow_unused=True)
            pieces = [_laid_out(piece, own) for piece, own in zip(found, self._parameters, strict=True)]
            total = _own(pieces) if not total else _add(total, pieces)
            laps.lap(BACKWARD)
            losses.append(loss.detach())
        return add_up(losses, self.context), total

    @staticmethod
    def _wait(clock: StepClock, places: range) -> None:
        """What lies between a device's own end and now it waited for the slowest."""
        now = clock.now()
        for place in places:
            clock.devices[place].lap(WAITING, now)

    def close(self) -> None:
        """End the threads."""
        self._threads.close()


def _laid_out(piece: Tensor | None, parameter: nn.Parameter) -> Tensor | None:
    """A gradient in the memory layout of its parameter, as ``backward`` gives it and ``grad`` does not.

    Fused optimizers on CPUs take the layout for granted, and mix up elements without a word.
    """
    if piece is None or piece.stride() == parameter.stride():
        return piece
    return torch.empty_like(parameter).copy_(piece)


def _own(pieces: Gradients) -> Gradients:
    """Gradients that can be added to in place: autograd may give one parameter the memory of another one's, or a part
    of it, where they are only added.
    """
    places = [piece.untyped_storage().data_ptr() for piece in pieces if piece is not None]
    if len(set(places)) == len(places):
        return pieces
    return [None if piece is None else piece.clone() for piece in pieces]


def _add(total: Gradients, pieces: Gradients) -> Gradients:
    for index, piece in enumerate(pieces):
        target = total[index]
        if target is None:
            total[index] = None if piece is None else piece.clone()
        elif piece is not None:
            target.add_(piece)
    return total


def _complete(gradients: list[Gradients], parameters: list[nn.Parameter]) -> None:
    """Where the loss of some devices depends on a parameter and that of others does not, those add zeros."""
    for index, column in enumerate(zip(*gradients, strict=True)):
        missing = sum(gradient is None for gradient in column)
        if 0 < missing < len(column):
            for own in gradients:
                if own[index] is None:
                    own[index] = torch.zeros_like(parameters[index])

"""What strategies with several processes share: forward and backward of one device that ends in a reduction."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from scalestudy.train.clock import BACKWARD, COMMUNICATION, DATA, FORWARD, StepClock
from scalestudy.train.strategies.base import Batches, Strategy, add_up, split, sum_loss


class OneDevicePerProcess(Strategy):
    """Backward passes of one device; the last of a step reduces gradients with the other ranks."""

    _marked: StepClock | None = None
    """The clock that is told of the last gradient."""

    def before_backward(self, clock: StepClock) -> None:
        """Let the clock know when the backward pass that follows has computed its last gradient."""
        if self.separates_communication and self._marked is not clock:
            mark_last_gradient(self.plain, clock)
            self._marked = clock

    def forward_backward(
        self,
        module: nn.Module,
        batches: Batches,
        positions: tuple[int, int],
        clock: StepClock,
        no_sync: Callable[[], AbstractContextManager[None]],
    ) -> Tensor:
        """Gradients of this rank's share of the batch at these positions, averaged over ranks by the module.

        All ranks make as many passes as the first, whose share is the largest, since peers may wait for each of them;
        a rank with fewer samples takes part with two that count nothing (batch norm may refuse one).
        """
        context, laps = self.context, clock.devices[0]
        start, stop = positions
        first, last = context.mesh.share(stop - start, context.rank)
        whole = context.mesh.processes / (stop - start)  # the module divides by the number of ranks
        own = split(start + first, start + last, context.accumulate)
        idle = min(context.accumulate, context.mesh.share(stop - start, 0)[1]) - len(own)
        pieces = [((start, min(start + 2, stop)), 0.0)] * idle + [(piece, whole) for piece in own]
        losses = []
        for number, (piece, weight) in enumerate(pieces, start=1):
            with nullcontext() if number == len(pieces) else no_sync():
                images, labels = batches.batch(*piece)
                laps.lap(DATA)
                loss = sum_loss(context, module, images, labels)
                laps.lap(FORWARD)
                self.before_backward(clock)
                loss.backward(self.weights.of(weight))  # type: ignore[no-untyped-call]
            if number < len(pieces):
                laps.lap(BACKWARD)
            if weight:
                losses.append(loss.detach())
        left = clock.now()
        if self.separates_communication:
            laps.lap(BACKWARD, clock.arrived)
            laps.lap(COMMUNICATION, left)
            clock.met(clock.arrived, left)
        else:
            laps.lap(BACKWARD, left)
        return add_up(losses, context)


def mark_last_gradient(model: nn.Module, clock: StepClock) -> list[torch.utils.hooks.RemovableHandle]:
    """Let the clock know when the backward pass has computed its last gradient.

    That is a parameter of the first module that has any: backward passes end where forward passes begin.
    """

    def mark(_: Tensor) -> None:
        clock.arrived = clock.now()

    for module in model.modules():
        own = [parameter for parameter in module.parameters(recurse=False) if parameter.requires_grad]
        if own:
            return [parameter.register_post_accumulate_grad_hook(mark) for parameter in own]  # type: ignore[no-untyped-call]
    return []

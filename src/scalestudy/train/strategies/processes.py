"""What strategies with several processes share: forward and backward of one device that ends in a reduction."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from scalestudy.train.clock import BACKWARD, COMMUNICATION, DATA, FORWARD, StepClock
from scalestudy.train.strategies.base import Batches, Strategy, add_up, split, sum_loss


class OneDevicePerProcess(Strategy):
    """Backward passes of one device; the last of a step reduces gradients with the other ranks."""

    _last_gradient: "LastGradient | None" = None
    """Tells the clock when a backward pass has computed its last gradient."""

    def backward(self, loss: Tensor, weight: float, clock: StepClock) -> None:
        """The backward pass of a loss that counts so much; the clock learns when its last gradient was ready."""
        start = self.weights.of(weight)
        if not self.separates_communication:
            loss.backward(start)  # type: ignore[no-untyped-call]
            return
        if self._last_gradient is None:
            self._last_gradient = LastGradient(self.plain)
        self._last_gradient.begin(clock)
        loss.backward(start)  # type: ignore[no-untyped-call]
        self._last_gradient.end()

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
                self.backward(loss, weight, clock)
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


NEVER = -1
"""No clock has such a moment."""


class LastGradient:
    """Tells a clock when a backward pass has computed its last gradient.

    The layer that computes first gets its gradients last, and a model may register it anywhere. So a first pass has a
    hook on every parameter and shows which one comes last. Later passes have hooks only on the parameters of its
    module: a hook takes the interpreter, and on a GPU an event, and there may be hundreds of parameters.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._clock = StepClock(1)
        self._hooks: list[tuple[nn.Module, torch.utils.hooks.RemovableHandle]] = []
        self._last: nn.Module | None = None
        self._looks = False
        """Whether all parameters are hooked, to see which comes last."""

    def begin(self, clock: StepClock) -> None:
        """A backward pass follows. Parameters must be those that it computes gradients for (FSDP2 swaps them)."""
        self._clock = clock
        clock.arrived = NEVER
        if not self._hooks:
            self._looks = True
            self._hooks = [
                (module, parameter.register_post_accumulate_grad_hook(self._hook_of(module)))  # type: ignore[no-untyped-call]
                for module in self._model.modules()
                for parameter in module.parameters(recurse=False)
                if parameter.requires_grad
            ]

    def end(self) -> None:
        """The pass is over, the exchange of its gradients included."""
        if self._clock.arrived == NEVER:
            # A pass on another path through the model. What is exposed in it is not known: it counts as backward, and
            # the next pass looks anew.
            self._clock.arrived = self._clock.now()
            self._keep(None)
        elif self._looks:
            self._keep(self._last)
            self._looks = False

    def _hook_of(self, module: nn.Module) -> Callable[[Tensor], None]:
        def mark(_: Tensor) -> None:
            self._clock.arrived = self._clock.now()
            self._last = module

        return mark

    def _keep(self, kept: nn.Module | None) -> None:
        """Only the hooks of this module's parameters."""
        for module, handle in self._hooks:
            if module is not kept:
                handle.remove()
        self._hooks = [hook for hook in self._hooks if hook[0] is kept]

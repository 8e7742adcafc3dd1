"""One process, one device: the base of every speedup."""

from torch import Tensor

from scalestudy.train.clock import BACKWARD, DATA, FORWARD, StepClock
from scalestudy.train.strategies.base import Batches, Strategy, add_up, split, sum_loss


class Serial(Strategy):
    """The plain loop. It pays for no process group and no wrapper."""

    implementation = "plain loop, one process, one device"

    def gradients(self, batches: Batches, start: int, stop: int, clock: StepClock) -> Tensor:
        """Forward and backward over the whole batch, in as many pieces as gradients are accumulated over."""
        context, laps = self.context, clock.devices[0]
        scale = 1.0 / (stop - start)
        losses = []
        for first, last in split(start, stop, context.run.workload.accumulate):
            images, labels = batches.batch(first, last)
            laps.lap(DATA)
            loss = sum_loss(context, self.plain, images, labels)
            laps.lap(FORWARD)
            (loss * scale).backward()  # type: ignore[no-untyped-call]
            laps.lap(BACKWARD)
            losses.append(loss.detach())
        return add_up(losses, context)

"""One process, one device: the base of every speedup."""

from torch import Tensor, nn
from torch.optim import Optimizer

from scalestudy.train.clock import BACKWARD, DATA, FORWARD, DeviceClock, StepClock
from scalestudy.train.context import Context
from scalestudy.train.cuda_graph import StepGraph
from scalestudy.train.data.batches import EpochBatches
from scalestudy.train.strategies.base import Batches, Strategy, add_up, split, sum_loss

ONE_LAUNCH = "a step is launched whole, as one CUDA graph"
GRAPH_NOTE = (
    "Whole batches were trained as one CUDA graph, so the phases of a step were not measured. Only serial training is "
    "launched so: parallel strategies launch their kernels one by one."
)
HOST_NOTE = (
    "The model draws random numbers on the host, which a CUDA graph would repeat: its steps were launched one by one."
)


class Serial(Strategy):
    """The plain loop. It pays for no process group and no wrapper; on a GPU its step is launched as one graph."""

    implementation = "plain loop, one process, one device"

    def __init__(self, context: Context, model: nn.Module) -> None:
        super().__init__(context, model)
        self._graph: StepGraph | None = None
        if _wants_graph(context):
            self._graph = StepGraph(super().step, context.device)
            self.not_in_phases = ONE_LAUNCH
            self.implementation = f"{self.implementation} (CUDA graph)"
            context.notes.append(GRAPH_NOTE)

    def step(self, optimizer: Optimizer, batches: Batches, start: int, stop: int, clock: StepClock) -> Tensor:
        """A whole batch through the graph, where there is one; anything else step by step."""
        if self._graph is None or stop - start != self.context.run.global_batch:
            return super().step(optimizer, batches, start, stop, clock)
        assert isinstance(batches, EpochBatches)
        loss = self._graph.run(optimizer, batches, start, stop, clock)
        if self._graph.decides_on_host:
            self._graph, self.not_in_phases, self.implementation = None, "", type(self).implementation
            self.context.notes[self.context.notes.index(GRAPH_NOTE)] = HOST_NOTE
        return loss

    def gradients(self, batches: Batches, start: int, stop: int, clock: StepClock) -> Tensor:
        """Forward and backward over the whole batch, in as many pieces as gradients are accumulated over."""
        weight, laps, pieces = self.weights.of(1.0 / (stop - start)), clock.devices[0], self.context.accumulate
        if pieces == 1:
            return self._pass(batches, start, stop, weight, laps)
        losses = [self._pass(batches, first, last, weight, laps) for first, last in split(start, stop, pieces)]
        return add_up(losses, self.context)

    def _pass(self, batches: Batches, start: int, stop: int, weight: Tensor, laps: DeviceClock) -> Tensor:
        """One forward and backward pass; its loss."""
        images, labels = batches.batch(start, stop)
        laps.lap(DATA)
        loss = sum_loss(self.context, self.plain, images, labels)
        laps.lap(FORWARD)
        loss.backward(weight)  # type: ignore[no-untyped-call]
        laps.lap(BACKWARD)
        return loss.detach()


def _wants_graph(context: Context) -> bool:
    """On a GPU, unless it is switched off or the step is not one and the same each time."""
    run = context.run
    asked = bool(run.strategy_options.get("cuda_graph", True))
    return context.device.type == "cuda" and asked and run.workload.accumulate == 1 and not run.workload.compile

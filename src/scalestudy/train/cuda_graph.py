"""A training step as one CUDA graph: captured once, launched whole.

At batch 64 the network's kernels are shorter than the time that Python takes to launch them. A graph launches all of
them at once: gather, augmentation, forward, backward and update.

The first steps run as usual and train the model, so that cuDNN has chosen its algorithms and the optimizer has its
state; then the step is captured, which executes nothing, and from there on replayed. So nothing has to be put back.
Everything runs on one stream, which becomes the process's current one: memory is never handed between streams.
See https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs (whole-network capture).
"""

import random
from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim import Optimizer

from scalestudy.errors import StudyError
from scalestudy.train.clock import StepClock
from scalestudy.train.data.batches import EpochBatches
from scalestudy.train.strategies.base import Batches

USUAL_STEPS = 3
"""Steps before the capture."""
Step = Callable[[Optimizer, Batches, int, int, StepClock], Tensor]
"""One training step over positions ``[start, stop)``; returns the summed loss."""


class FixedPlaces:
    """One batch whose positions are read from tensors that stay where they are, as a graph needs."""

    def __init__(self, batches: EpochBatches, size: int) -> None:
        self.batches = batches
        self._index = torch.zeros(size, dtype=torch.int64, device=batches.order.device)
        shifts = batches.shifts
        self._shifts = torch.zeros(
            len(shifts), size if batches.augment else 0, dtype=shifts.dtype, device=shifts.device
        )

    def fill(self, start: int, stop: int) -> None:
        """Take the positions ``[start, stop)`` of the epoch. Copies on the device; nothing waits."""
        self._index.copy_(self.batches.order[start:stop])
        if self.batches.augment:
            self._shifts.copy_(self.batches.shifts[:, start:stop])

    def batch(self, start: int, stop: int) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """Images and labels at the positions that were filled in."""
        return self.batches.select(self._index, self._shifts)


def host_random_state() -> tuple[object, bytes]:
    """Where the generators of the host stand, Python's and torch's."""
    return random.getstate(), torch.get_rng_state().numpy().tobytes()


class StepGraph:
    """Replays a strategy's step for batches of one size.

    ``step`` must do the same work in every call and must not wait for the GPU. The graph's stream becomes the current
    one of the process.
    """

    decides_on_host = False
    """Whether the usual steps drew random numbers on the host, as a model does that leaves layers out: a graph would
    repeat for ever what was drawn for its capture, so there is none."""

    def __init__(self, step: Step, device: torch.device) -> None:
        self._step = step
        self._usual_steps = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._stream.wait_stream(torch.cuda.current_stream(device))
        torch.cuda.set_stream(self._stream)

    def run(self, optimizer: Optimizer, batches: EpochBatches, start: int, stop: int, clock: StepClock) -> Tensor:
        """Train one step. The loss is overwritten by the next step.

        Raises StudyError when the model's step cannot be captured.
        """
        if self._graph is None:
            if self.decides_on_host:
                return self._step(optimizer, batches, start, stop, clock)
            if self._usual_steps < USUAL_STEPS:
                self._usual_steps += 1
                before = host_random_state()
                loss = self._step(optimizer, batches, start, stop, clock)
                self.decides_on_host |= host_random_state() != before
                return loss
            self._capture(optimizer, batches, start, stop)
        assert self._graph is not None
        assert self._places.batches is batches  # the graph reads its images
        self._places.fill(start, stop)
        self._set_rates(optimizer)
        self._graph.replay()
        return self._loss

    def _capture(self, optimizer: Optimizer, batches: EpochBatches, start: int, stop: int) -> None:
        self._places = FixedPlaces(batches, stop - start)
        self._places.fill(start, stop)
        groups = optimizer.param_groups
        rates = [float(group["lr"]) for group in groups]
        self._rates = [torch.tensor(rate, dtype=torch.float32, device=self._stream.device) for rate in rates]
        self._known_rates = rates
        clock = StepClock(1)  # of the host: an event in a graph cannot be read
        clock.start_epoch()
        clock.start_step()
        graph = torch.cuda.CUDAGraph()
        for group, tensor in zip(groups, self._rates, strict=True):
            group["lr"] = tensor
            if "capturable" in group:
                group["capturable"] = True
        try:
            with torch.cuda.graph(graph, stream=self._stream):
                self._loss = self._step(optimizer, self._places, start, stop, clock)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            raise StudyError(
                f"serial: a step of this model cannot be captured as a CUDA graph ({reason}): "
                "set options: {cuda_graph: false} for serial"
            ) from error
        finally:  # what checkpoints save and the last, smaller batch of an epoch uses
            for group, rate in zip(groups, rates, strict=True):
                group["lr"] = rate
                if "capturable" in group:
                    group["capturable"] = False
        self._graph = graph

    def _set_rates(self, optimizer: Optimizer) -> None:
        """Hand the learning rates that were set for this step to the graph."""
        rates = [float(group["lr"]) for group in optimizer.param_groups]
        if rates != self._known_rates:
            self._known_rates = rates
            for tensor, rate in zip(self._rates, rates, strict=True):
                tensor.fill_(rate)

"""What communication costs: the gradients of a step with and without it, in turn, on scratch copies of the model.

Exposed communication, which the clock sees in training, is what a device waits for messages. What runs beside the
backward pass is not free either: it takes memory bandwidth, and on a CPU the very cores that compute. Both together
are the difference that this measurement sees. It starts when training is over and touches nothing of it.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from time import perf_counter_ns

import torch
from torch import nn

from scalestudy.records.result import CommunicationCost
from scalestudy.train.clock import StepClock
from scalestudy.train.context import Context
from scalestudy.train.loop import Trainer
from scalestudy.train.strategies.base import Strategy
from scalestudy.train.strategies.make import make_strategy

LEAST_TURNS = 5
SHARE = 0.05
"""Of the time that training took, which the turns may take."""
MOST_S = 10.0
BLOCK_S = 0.02
"""A turn is repeated until it takes so long, so that the barrier before it weighs nothing."""
MOST_STEPS = 50
"""Of a turn."""
WARM_UP = 3
"""Steps before the first turn: DDP lays its buckets anew in the third."""
MakeModel = Callable[[Context], nn.Module]


def communication_cost(trainer: Trainer, make_model: MakeModel) -> CommunicationCost | None:
    """Measure it, all ranks together; None for one device. ``make_model`` gives a new model, the same on every rank."""
    context = trainer.strategy.context
    if context.mesh.devices == 1:
        return None
    if reason := _obstacle(trainer):
        return CommunicationCost(reason=reason)
    speaking, silent = (
        _Scratch.of(trainer, replace(context, communicates=communicates, notes=[]), make_model)
        for communicates in (True, False)
    )
    with closing(speaking.strategy), closing(silent.strategy):
        steps, turns = _plan(trainer, speaking, silent)
        times: dict[bool, list[float]] = {True: [], False: []}
        for turn in range(turns):
            for communicates in (True, False) if turn % 2 else (False, True):
                scratch = speaking if communicates else silent
                times[communicates].append(scratch.step_s(steps))
    return CommunicationCost(without=silent.strategy.silence, with_s=times[True], without_s=times[False])


def _obstacle(trainer: Trainer) -> str:
    """Why it cannot be measured, the same on every rank; empty where it can."""
    context = trainer.strategy.context
    if not trainer.strategy.silence:
        return "the strategy communicates inside its own forward and backward passes"
    if context.run.oversubscribed:
        return "more devices than cores: nothing is timed"
    if context.run.workload.compile:
        return "the model is compiled, and a copy would have to be compiled again"
    if trainer.control.any(not _has_room(context)):
        return "two more copies of the model do not fit into memory"
    return ""


def _has_room(context: Context) -> bool:
    """Whether the GPUs of this process have memory for two more of what training took at its peak."""
    if context.device.type != "cuda":
        return True
    torch.cuda.empty_cache()
    return all(
        torch.cuda.mem_get_info(device)[0] > 2 * torch.cuda.max_memory_allocated(device) for device in context.devices
    )


def _plan(trainer: Trainer, speaking: "_Scratch", silent: "_Scratch") -> tuple[int, int]:
    """Steps of a turn and number of turns of each kind, agreed on by all ranks."""
    for scratch in (silent, speaking):
        scratch.step_s(WARM_UP)
    step_s = speaking.step_s(1)  # the slowest rank's, so the same number everywhere
    steps = min(MOST_STEPS, max(1, round(BLOCK_S / step_s)))
    trained_s = sum(epoch["time_s"] for epoch in trainer.progress.epochs)
    turns = int(min(MOST_S, SHARE * trained_s) / (2 * steps * step_s))
    return steps, max(LEAST_TURNS, turns)


@dataclass
class _Scratch:
    """A strategy on a model of its own, that makes gradients of the training images and never an update."""

    trainer: Trainer
    strategy: Strategy
    clock: StepClock

    @classmethod
    def of(cls, trainer: Trainer, context: Context, make_model: MakeModel) -> "_Scratch":
        """A new model under the strategy of the run."""
        strategy = make_strategy(context, make_model(context))
        return cls(trainer, strategy, strategy.host_clock())

    def step_s(self, steps: int) -> float:
        """Seconds of a step, mean over so many: the slowest rank's, from a barrier on."""
        trainer, strategy, clock = self.trainer, self.strategy, self.clock
        parameters = strategy.parameters()
        size = min(trainer.run.global_batch, trainer.samples)
        clock.start_epoch()
        self._synchronize()
        trainer.control.barrier()
        begin = perf_counter_ns()
        for step in range(steps):
            clock.start_step()
            for parameter in parameters:
                parameter.grad = None
            start = size * (step % (trainer.samples // size))
            strategy.gradients(trainer.train, start, start + size, clock)
        self._synchronize()
        own_s = (perf_counter_ns() - begin) / 1e9 / steps
        return float(trainer.control.gather(torch.tensor([own_s], dtype=torch.float64)).max())

    def _synchronize(self) -> None:
        for device in self.strategy.context.devices:
            if device.type == "cuda":
                torch.cuda.synchronize(device)

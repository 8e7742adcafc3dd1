"""The training loop. It knows steps, epochs and clocks, and nothing of strategies or models."""

from dataclasses import dataclass, field
from time import monotonic, perf_counter_ns
from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer

from scalestudy.records.events import EventLog
from scalestudy.records.result import PHASES, Epoch, Part
from scalestudy.train.checkpoint import Checkpoints
from scalestudy.train.clock import phase_seconds, waiting_of
from scalestudy.train.control import Control
from scalestudy.train.cuda_clock import clock_for
from scalestudy.train.data.batches import EpochBatches
from scalestudy.train.evaluation import evaluate
from scalestudy.train.load import CpuTimes, foreign_load
from scalestudy.train.optimizer import LearningRate
from scalestudy.train.progress import ProgressLine
from scalestudy.train.seeding import seed_epoch
from scalestudy.train.stopping import Stopped, StopRequest
from scalestudy.train.strategies.base import Batches, Strategy


@dataclass
class Progress:
    """How far a run has come; with the model, the optimizer and the random state it is all that a resumption needs."""

    epoch: int = 0
    step: int = 0
    """The next step of the epoch."""
    loss_sum: float = 0.0
    """Of this rank over the steps of the current epoch, and below likewise."""
    time_s: float = 0.0
    foreign: float | None = None
    parts: int = 1
    phases: list[list[float]] = field(default_factory=list)
    """Seconds per device of this process and phase over the timed epochs, the current one's parts included."""
    step_time_s: float = 0.0
    timed_steps: int = 0
    resumed: int = 0
    earlier: list[dict[str, Any]] = field(default_factory=list)
    """The earlier starts of this run, each up to its last checkpoint (fields of records.result.Part)."""
    epochs: list[dict[str, Any]] = field(default_factory=list)
    """The finished ones."""


@dataclass
class Trainer:
    """Everything that one rank trains with."""

    strategy: Strategy
    optimizer: Optimizer
    train: EpochBatches
    test: Batches
    test_images: int
    samples: int
    """Training images of an epoch over all devices."""
    control: Control
    stop: StopRequest
    checkpoints: Checkpoints
    log: EventLog
    line: ProgressLine
    progress: Progress
    one_machine: bool
    """Whether all ranks run on one machine: simulated nodes share its counters."""
    began: float
    """When this start's first process was started, by the clock that is never set: ``monotonic()``."""
    part: Part
    """This start of the run."""

    def __post_init__(self) -> None:
        self.run = self.strategy.context.run
        self.steps = -(-self.samples // self.run.global_batch)
        self.rate = LearningRate(self.run, self.optimizer, self.steps)
        self.clock = clock_for(self.strategy.context.devices, len(self.strategy.modules()), len(self.strategy.meetings))
        if not self.progress.phases:
            self.progress.phases = [[0.0] * len(PHASES) for _ in self.clock.devices]

    def warm_up(self) -> None:
        """One forward and backward pass that leaves nothing behind: to compile, or for a strategy that needs it. All
        ranks together.
        """
        gpus = [device for device in self.strategy.context.devices if device.type == "cuda"]
        random, on_gpus = torch.get_rng_state(), [torch.cuda.get_rng_state(gpu) for gpu in gpus]
        buffers = [buffer.clone() for buffer in self.strategy.plain.buffers()]
        self.train.start_epoch(self.run.seed, 0, self.samples)
        self.clock.start_epoch()
        self.clock.start_step()
        self.strategy.gradients(self.train, 0, min(self.run.global_batch, self.samples), self.clock)
        self.optimizer.zero_grad()
        with torch.no_grad():
            for buffer, value in zip(self.strategy.plain.buffers(), buffers, strict=True):
                buffer.copy_(value)
        torch.set_rng_state(random)
        for gpu, state in zip(gpus, on_gpus, strict=True):
            torch.cuda.set_rng_state(state, gpu)
        self._synchronize()

    def run_to_end(self) -> None:
        """Train, evaluate and save epoch by epoch. Raises Stopped when asked to stop on the way."""
        while self.progress.epoch < self.run.workload.epochs:
            self._train_epoch()
            self._finish_epoch()
            if self.progress.epoch < self.run.workload.epochs:
                if self.stop.agreed_now():
                    self._save_and_stop()
                self._save()
        self.stop.obeyed()  # a wish that came too late

    def _train_epoch(self) -> None:
        """Train from the current step to the end of the epoch, between two barriers."""
        progress, context = self.progress, self.strategy.context
        if progress.step == 0:
            seed_epoch(self.run.seed, progress.epoch, context.rank, context.devices)
        self.train.start_epoch(self.run.seed, progress.epoch, self.samples)
        loss_sum = torch.full((), progress.loss_sum, dtype=torch.float64, device=context.device)
        self.clock.start_epoch()
        self._synchronize()
        cpu = CpuTimes.now()
        self.control.barrier()
        begin = perf_counter_ns()
        stopped_at = self._steps(progress.step, loss_sum)
        self._synchronize()
        progress.time_s += (perf_counter_ns() - begin) / 1e9
        self.control.barrier()
        node = 0 if self.one_machine else context.mesh.node_of(context.rank)
        load = foreign_load(cpu, CpuTimes.now(), node, self.control)
        progress.foreign = load if progress.foreign is None else max(progress.foreign, load or 0.0)
        progress.loss_sum = float(loss_sum.item())
        self._add_phases()
        if stopped_at is not None:
            progress.step = stopped_at
            self._save_and_stop()

    def _steps(self, first: int, loss_sum: torch.Tensor) -> int | None:
        """The steps of the epoch from ``first``. Returns the step that was not begun when asked to stop, else None."""
        strategy, optimizer, batches, clock = self.strategy, self.optimizer, self.train, self.clock
        stop, rate = self.stop, self.rate
        batch, samples, steps = self.run.global_batch, self.samples, self.steps
        before = self.progress.epoch * steps
        live = self.line.live and strategy.context.device.type == "cpu"
        for step in range(first, steps):
            if stop.agreed() and step > first:
                clock.end_epoch()
                return step
            clock.start_step()
            rate.set(before + step)
            start = step * batch
            loss_sum += strategy.step(optimizer, batches, start, min(start + batch, samples), clock)
            clock.optimizer_done()
            if live:
                self.line.step(self.progress.epoch, step, steps, loss_sum, self._own_samples(start))
        clock.end_epoch()
        return None

    def _own_samples(self, start: int) -> int:
        """About how many samples this rank has trained on in the epoch."""
        return (start + self.run.global_batch) // self.strategy.context.mesh.processes

    def _add_phases(self) -> None:
        """Add this part's phases to those of the timed epochs. All ranks together."""
        progress, clock = self.progress, self.clock
        waiting = None
        if self.control.ranks > 1 and self.strategy.separates_communication:
            approaches = self.control.gather(torch.from_numpy(clock.approaches())).numpy()
            waiting = waiting_of(clock, approaches, self.strategy.context.rank, self.strategy.meetings)
        if progress.epoch < self.run.workload.untimed_epochs:
            return
        for device, sums in enumerate(progress.phases):
            seconds = phase_seconds(clock, device, waiting)
            progress.phases[device] = np.add(sums, seconds).tolist()  # a checkpoint holds no NumPy numbers
        progress.step_time_s += float(clock.step_times().sum()) / 1e9
        progress.timed_steps += clock.steps

    def _finish_epoch(self) -> None:
        """Evaluate, and record the epoch."""
        progress = self.progress
        epoch = progress.epoch
        table = self.control.gather(torch.tensor([progress.time_s, progress.loss_sum], dtype=torch.float64))
        time_s, train_loss = table[:, 0].max().item(), table[:, 1].sum().item() / self.samples
        self.log.write("epoch", epoch=epoch, train_loss=train_loss, time_s=progress.time_s)
        begin = perf_counter_ns()
        test_loss, accuracy = evaluate(self.strategy, self.test, self.test_images, self.control)
        evaluation_s = (perf_counter_ns() - begin) / 1e9
        self.log.write("evaluation", epoch=epoch, test_loss=test_loss, test_accuracy=accuracy)
        record = Epoch(
            epoch=epoch,
            timed=epoch >= self.run.workload.untimed_epochs,
            train_loss=train_loss,
            test_loss=test_loss,
            test_accuracy=accuracy,
            time_s=time_s,
            evaluation_s=evaluation_s,
            images=self.samples,
            steps=self.steps,
            foreign_load=progress.foreign,
            parts=progress.parts,
        )
        self.line.epoch(epoch, train_loss, accuracy, time_s, record.timed)
        progress.epochs.append(record.model_dump())
        progress.epoch, progress.step, progress.parts = epoch + 1, 0, 1
        progress.loss_sum, progress.time_s, progress.foreign = 0.0, 0.0, None

    def _save(self) -> None:
        if not self.strategy.resumes:
            return
        progress = self.progress
        name = f"epoch{progress.epoch:04d}-step{progress.step:06d}"
        state = vars(progress) | {"earlier": [part.model_dump() for part in self.parts()]}
        self.checkpoints.save(name, self.strategy, self.optimizer, state)
        self.log.write("checkpoint", epoch=progress.epoch, step=progress.step)

    def _save_and_stop(self) -> None:
        self._save()
        self.control.barrier()  # srun ends the others when one leaves: not before `latest` names this state
        reason = self.stop.reason or "another rank"
        self.log.write("stop", reason=reason, epoch=self.progress.epoch, step=self.progress.step)
        self.stop.obeyed()
        raise Stopped

    def parts(self) -> list[Part]:
        """All starts of the run, this one up to now."""
        earlier = [Part(**part) for part in self.progress.earlier]
        return [*earlier, self.part.model_copy(update={"time_s": monotonic() - self.began})]

    def _synchronize(self) -> None:
        for device in self.strategy.context.devices:
            if device.type == "cuda":
                torch.cuda.synchronize(device)

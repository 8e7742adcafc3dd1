"""Where the time of a step goes."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from odd_models import HeadFirst
from torch import Tensor, nn
from train_setup import LAYOUTS, Parts, make_run, on_ranks, trained

from scalestudy.records.result import PHASES
from scalestudy.train.clock import (
    BACKWARD,
    COMMUNICATION,
    DATA,
    FORWARD,
    OPTIMIZER,
    WAITING,
    StepClock,
    phase_seconds,
    split_waiting,
    waiting_of,
)
from scalestudy.train.cuda_clock import BLOCK, EventClock
from scalestudy.train.ranks import Rank
from scalestudy.train.strategies.processes import LastGradient

SLOW_S, STEPS = 0.2, 6
NewClock = Callable[[int, int], StepClock]


@pytest.mark.parametrize("strategy", LAYOUTS)
def test_phases_add_up_to_the_step_time(strategy: str, tmp_path: Path) -> None:
    run = make_run(strategy, epochs=3, untimed_epochs=1)
    result = trained(run, tmp_path)
    assert [row.device for row in result.phases] == list(range(run.cell.devices))
    for row in result.phases:
        parts = [getattr(row, phase) for phase in PHASES]
        measured = [part for part in parts if part is not None]
        assert sum(measured) == pytest.approx(row.time_s, rel=0.01)
        assert all(part > -1e-9 for part in measured)
        assert row.steps == 2 * 11
        timed_s = sum(epoch.time_s for epoch in result.epochs if epoch.timed)
        assert 0.6 * timed_s < row.time_s < 1.01 * timed_s
        assert row.communication is not None or strategy == "serial"


def test_a_rank_waits_from_its_own_arrival_to_the_last_one() -> None:
    approaches = np.array([[10, 50, 30], [40, 20, 30]])
    assert split_waiting(approaches, 0, np.array([100, 100, 100])).tolist() == [30, 0, 0]
    assert split_waiting(approaches, 1, np.array([100, 100, 100])).tolist() == [0, 30, 0]


def test_a_rank_never_waits_longer_than_it_was_held() -> None:
    approaches = np.array([[0, 0], [500, 7]])
    assert split_waiting(approaches, 0, np.array([20, 20])).tolist() == [20, 7]


def test_time_that_no_lap_covers_is_other() -> None:
    clock = StepClock(1)
    clock.start_epoch()
    clock.start_step()
    clock.devices[0].lap(DATA)
    time.sleep(0.01)
    clock.end_epoch()
    seconds = phase_seconds(clock, 0, None)
    assert seconds[PHASES.index("other")] >= 0.01
    assert seconds.sum() == pytest.approx(clock.step_times().sum() / 1e9)


class SlowBatches:
    """Batches that sleep before the image at hand is given."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def batch(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        time.sleep(SLOW_S)
        return self.parts.train.batch(start, stop)


class HostEvent:
    """An event on a stream that does everything at once: the host's own time."""

    def __init__(self) -> None:
        self.taken_ns = 0

    def record(self, stream: object) -> None:
        self.taken_ns = time.perf_counter_ns()

    def query(self) -> bool:
        return True

    def elapsed_time(self, end_event: "HostEvent") -> float:
        return (end_event.taken_ns - self.taken_ns) / 1e6


def event_clock(devices: int, meetings: int) -> StepClock:
    """The clock of a GPU, with events of this machine."""
    assert devices == 1
    return EventClock(HostEvent, lambda: None, meetings)


class ScriptedEvent:
    """An event that is taken at the time that its stream says."""

    def __init__(self) -> None:
        self.at_ms = 0.0

    def record(self, stream: list[float]) -> None:
        self.at_ms = stream.pop(0)

    def query(self) -> bool:
        return True

    def elapsed_time(self, end_event: "ScriptedEvent") -> float:
        return end_event.at_ms - self.at_ms


def test_the_time_between_events_goes_to_the_phases_that_they_end() -> None:
    # begin, data, forward, two gradients, after the reduction, optimizer, then the next begins and ends
    stream = [5.0, 6.0, 9.0, 12.0, 13.0, 17.0, 18.0, 20.0, 21.0]
    clock = EventClock(ScriptedEvent, lambda: stream)
    laps = clock.devices[0]
    clock.start_epoch()
    clock.start_step()
    laps.lap(DATA)
    laps.lap(FORWARD)
    for _ in range(2):
        clock.arrived = clock.now()
    left = clock.now()
    laps.lap(BACKWARD, clock.arrived)
    laps.lap(COMMUNICATION, left)
    clock.met(clock.arrived, left)
    clock.optimizer_done()
    clock.start_step()
    clock.end_epoch()
    assert clock.steps == 2
    assert clock.step_times().tolist() == [15e6, 1e6]
    assert clock.approaches()[0, 0] == 8e6  # from the begin to the last gradient
    assert clock.exposed()[0, 0] == 4e6
    waiting = np.array([1_000_000, 0])
    seconds = dict(zip(PHASES, phase_seconds(clock, 0, waiting).tolist(), strict=True))
    milliseconds = {"data": 1, "forward": 3, "backward": 4, "communication": 3, "waiting": 1, "optimizer": 1}
    milliseconds |= {"other": 3, "host_to_device": 0}
    assert seconds == pytest.approx({name: ms / 1e3 for name, ms in milliseconds.items()})


class LateDevice:
    """A device that takes events one millisecond apart, and lags behind the host by so many of them."""

    def __init__(self, lag: int) -> None:
        self.lag = lag
        self.recorded: list[LateEvent] = []
        self.made = 0

    def make_event(self) -> "LateEvent":
        self.made += 1
        return LateEvent(self)


class LateEvent:
    """An event that cannot be read before its device has taken it."""

    def __init__(self, device: LateDevice) -> None:
        self.device = device
        self.number = -1

    def record(self, stream: object) -> None:
        self.number = len(self.device.recorded)
        self.device.recorded.append(self)

    def query(self) -> bool:
        return self.number < len(self.device.recorded) - self.device.lag

    def elapsed_time(self, end_event: "LateEvent") -> float:
        assert self.query()
        assert end_event.query()
        return end_event.number - self.number


@pytest.mark.parametrize(("lag", "most"), [(0, 2 * BLOCK), (300, 300 + 3 * BLOCK), (10**6, 5001)])
def test_events_are_read_some_steps_later_when_the_device_has_taken_them_and_used_again(lag: int, most: int) -> None:
    device = LateDevice(lag)
    clock = EventClock(device.make_event, lambda: None)
    for _ in range(2):
        clock.start_epoch()
        for _ in range(1000):
            clock.start_step()
            for _ in range(3):
                clock.devices[0].lap(DATA)
            clock.optimizer_done()
        clock.end_epoch()
        device.lag, lag = 0, device.lag  # the device is waited for
        assert clock.step_times().tolist() == [5e6] * 1000
        assert clock.devices[0].laps()[:, [DATA, OPTIMIZER]].tolist() == [[3e6, 1e6]] * 1000
        device.lag = lag
        assert device.made <= most


def seconds_of_rank(
    strategy: str, slow_rank: int, slow_part: str, new_clock: NewClock = StepClock, **workload: Any
) -> list[np.ndarray]:
    """Phases of the first device of every rank, one of which is slowed in its data feed or its forward pass."""
    run = make_run(strategy, **workload)

    def work(rank: Rank) -> np.ndarray:
        parts = Parts(run, rank)
        slow = rank.rank == slow_rank
        if slow and slow_part == "forward":
            parts.model.register_forward_pre_hook(lambda *_: time.sleep(SLOW_S))
        batches = SlowBatches(parts) if slow and slow_part == "data" else parts.train
        parts.train.start_epoch(1, 0)
        parts.strategy.gradients(batches, 0, 32, clock_of_one_step(parts))  # the first step builds buckets
        clock = new_clock(len(parts.strategy.modules()), len(parts.strategy.meetings))
        clock.start_epoch()
        parts.control.barrier()
        for step in range(STEPS):
            clock.start_step()
            for parameter in parts.strategy.parameters():
                parameter.grad = None
            parts.strategy.gradients(batches, 32 * step, 32 * step + 32, clock)
            clock.optimizer_done()
        clock.end_epoch()
        waiting = None
        if rank.ranks > 1:
            approaches = parts.control.gather(torch.from_numpy(clock.approaches())).numpy()
            waiting = waiting_of(clock, approaches, rank.rank, parts.strategy.meetings)
        return phase_seconds(clock, 0, waiting)

    return on_ranks(work, run.processes)


def clock_of_one_step(parts: Parts) -> StepClock:
    clock = StepClock(len(parts.strategy.modules()), len(parts.strategy.meetings))
    clock.start_epoch()
    clock.start_step()
    return clock


@pytest.mark.parametrize("new_clock", [StepClock, event_clock])
@pytest.mark.parametrize("strategy", ["ddp", "hybrid", "hsdp"])
def test_the_others_wait_for_a_rank_that_is_slow_and_it_does_not_wait(strategy: str, new_clock: NewClock) -> None:
    first, slow = seconds_of_rank(strategy, 1, "forward", new_clock)
    lost = SLOW_S * STEPS
    assert first[WAITING] > 0.7 * lost
    assert slow[WAITING] < 0.3 * lost
    assert slow[PHASES.index("forward")] > lost
    assert first[COMMUNICATION] < 0.5 * lost


@pytest.mark.parametrize(("strategy", "accumulate"), [("ddp", 1), ("ddp", 2), ("hsdp", 1)])
def test_backward_ends_with_the_first_layers_gradients_wherever_the_model_registers_it(
    strategy: str, accumulate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HeadFirst, "backward_s", SLOW_S)
    for seconds in seconds_of_rank(strategy, 2, "none", model="odd_models:HeadFirst", accumulate=accumulate):
        assert seconds[BACKWARD] > SLOW_S * STEPS * accumulate
        assert seconds[COMMUNICATION] + seconds[WAITING] < 0.5 * SLOW_S * STEPS


class CountingClock(StepClock):
    """Counts how often it was asked for the moment."""

    asked = 0

    def now(self) -> int:
        self.asked += 1
        return self.asked


def asked_in_passes(_: Rank) -> list[int]:
    """How often the clock was asked in seven backward passes, the fourth of which leaves the first layer out."""
    model, clock = HeadFirst((1, 2, 2), 3), CountingClock(1)
    mark = LastGradient(model)
    inputs_of = {model: 4, model.head: model.head.in_features}

    def asked(module: nn.Module) -> int:
        clock.asked = 0
        loss = module(torch.ones(2, inputs_of[module])).sum()
        mark.begin(clock)
        loss.backward()
        mark.end()
        assert clock.arrived == clock.asked  # the last moment of the pass
        return clock.asked

    return [asked(module) for module in (model, model, model, model.head, model, model, model)]


def test_after_the_first_pass_only_the_first_layer_tells_of_its_gradients() -> None:
    # On a rank of its own: what computed with torch must fork no ranks, as the other tests do.
    # A pass that leaves the first layer out has the end of the pass as its last moment; the next one looks anew.
    assert on_ranks(asked_in_passes, 1) == [[6, 2, 2, 1, 6, 2, 2]]


@pytest.mark.parametrize("strategy", ["serial", "ddp", "data_parallel"])
def test_a_slow_data_feed_shows_as_data(strategy: str) -> None:
    seconds = seconds_of_rank(strategy, 0, "data")[0]
    assert seconds[DATA] > SLOW_S * STEPS
    assert seconds[DATA] > 0.5 * seconds.sum()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_devices_are_bound_to_cores_of_their_own(tmp_path: Path) -> None:
    for strategy in ("data_parallel", "ddp"):
        provenance = trained(make_run(strategy, epochs=1), tmp_path / strategy).provenance
        assert provenance is not None
        first, second = provenance.pinned
        assert len(first) == len(second) == 1
        assert first != second

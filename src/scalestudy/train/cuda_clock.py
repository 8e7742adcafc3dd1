"""Where the time of a step goes on a GPU: events recorded on its stream, read after the epoch.

The host runs ahead of a GPU, so its own clock says nothing about a lap. An event is a mark that the GPU takes when it
gets there; recording one waits for nothing. What a lap covers is what the device did, waiting for the host included.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from scalestudy.train.clock import OPTIMIZER, OTHER, WIDTH, DeviceClock, StepClock


class Mark(NamedTuple):
    """The event that ended a lap, and the phase that its time goes to."""

    event: torch.cuda.Event
    phase: int
    begins_step: bool


class CudaDeviceClock(DeviceClock):
    """Laps of one GPU over the steps of an epoch; to be read once the GPU has been waited for."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device
        self._events: list[torch.cuda.Event] = []
        self._marks: list[Mark] = []

    def start_epoch(self, steps: int) -> None:  # noqa: ARG002
        """Forget the marks; their events are used again."""
        self._marks.clear()
        self._stream = torch.cuda.current_stream(self._device)

    def start_step(self, now: int = 0) -> None:  # noqa: ARG002
        """Begin the next step; what went before since its last lap belongs to the step before."""
        self._mark(OTHER, begins_step=True)

    def lap(self, phase: int, now: int | None = None) -> int:
        """End a lap where the GPU gets to; times of the host are of no use here."""
        self._mark(phase, begins_step=False)
        return now or 0

    def _mark(self, phase: int, begins_step: bool) -> None:
        place = len(self._marks)
        if place == len(self._events):
            self._events.append(torch.cuda.Event(enable_timing=True))  # type: ignore[no-untyped-call]
        event = self._events[place]
        event.record(self._stream)
        self._marks.append(Mark(event, phase, begins_step))

    def spans(self) -> np.ndarray:
        """Nanoseconds between marks, ``[steps, phases]``. The last mark must begin a step that is not there."""
        rows: list[list[float]] = []
        for before, mark in zip(self._marks, self._marks[1:], strict=False):
            if before.begins_step:
                rows.append([0.0] * WIDTH)
            rows[-1][mark.phase] += before.event.elapsed_time(mark.event) * 1e6
        spans: np.ndarray = np.rint(np.array(rows).reshape(-1, WIDTH)).astype(np.int64)
        return spans

    def laps(self) -> np.ndarray:
        """Nanoseconds of the laps, ``[steps, phases]``; what no lap covers is left to ``phase_seconds``."""
        laps = self.spans()
        laps[:, OTHER] = 0
        return laps


class CudaStepClock(StepClock):
    """The clocks of the GPUs of one process. Reductions are not told apart: they run beside the backward pass."""

    def __init__(self, devices: Sequence[torch.device]) -> None:
        super().__init__(0)
        self.gpus = [CudaDeviceClock(device) for device in devices]
        self.devices = list(self.gpus)

    def start_epoch(self, steps: int) -> None:
        """Forget the last epoch."""
        for clock in self.devices:
            clock.start_epoch(steps)
        self._step = -1

    def start_step(self) -> None:
        """Begin the next step; it ends where the one after begins."""
        self._step += 1
        for clock in self.gpus:
            clock.start_step()

    def optimizer_done(self) -> None:
        """The update is over."""
        for clock in self.devices:
            clock.lap(OPTIMIZER)

    def end_epoch(self) -> None:
        """End the last step."""
        for clock in self.gpus:
            clock.start_step()

    def met(self, arrived: int, left: int) -> None:
        """Nothing: these are times of the host."""

    def step_times(self) -> np.ndarray:
        """Nanoseconds of each step on the first GPU, ``[steps]``."""
        times: np.ndarray = self.gpus[0].spans().sum(axis=1)
        return times


def clock_for(devices: Sequence[torch.device], modules: int, meetings: int = 1) -> StepClock:
    """The clock for the devices of a process, of which so many are driven apart, with so many meetings in a step."""
    if devices[0].type == "cuda":
        return CudaStepClock(devices[:modules])
    return StepClock(modules, meetings)

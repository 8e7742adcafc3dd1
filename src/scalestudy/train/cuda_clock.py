"""Where the time of a step goes on a GPU: events recorded on its stream, read some steps later.

The host runs ahead of a GPU, so its own clock says nothing about a lap. An event is a mark that the GPU takes when it
gets there; recording one waits for nothing. What a lap covers is what the device did, waiting for the host included.

Collectives run on streams of their own, and the stream of the computation is made to wait for them where their results
are needed. So the event behind such a place comes when both are over, and what lies between the last gradient's event
and that one is communication that nothing hid: exposed communication and waiting for the slowest rank, as on a CPU.
"""

from array import array
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch

from scalestudy.train.clock import StepClock

BLOCK = 64
"""Events that are read at once. The newest ones, so many or more, are left for later: those of some eight steps."""


class Event(Protocol):
    """A mark on a stream, such as ``torch.cuda.Event(enable_timing=True)``."""

    def record(self, stream: Any) -> None:
        """Take the mark when the stream gets here; a second time it is taken anew."""

    def query(self) -> bool:
        """Whether the mark was taken. Waits for nothing."""

    def elapsed_time(self, end_event: Any) -> float:
        """Milliseconds to another mark. Both must have been taken."""


class EventClock(StepClock):
    """The clock of one device whose moments are events on its stream, counted from 0 in every epoch.

    Events are read while the device works on later steps, as far as it got, and used again. Times may be asked for when
    the device has been waited for.
    """

    def __init__(self, make_event: Callable[[], Event], stream: Callable[[], Any], meetings: int = 1) -> None:
        super().__init__(1, meetings)
        self._make_event = make_event
        self._current_stream = stream
        self._stream = stream()
        self._unread: deque[Event] = deque()
        self._spare: list[Event] = []
        self._taken = 0
        self._spans = array("q", [0])

    def start_epoch(self) -> None:
        """Count events from 0 again, on the stream that is the current one now."""
        super().start_epoch()
        self._stream = self._current_stream()
        self._spare.extend(self._unread)
        self._unread.clear()
        self._taken = 0
        self._spans = array("q", [0])

    def now(self) -> int:
        """Record the next event and return its number. Autograd's threads may call it too: one of them at a time."""
        if self._taken % BLOCK == 0:
            while len(self._unread) >= 2 * BLOCK and self._unread[BLOCK].query():
                self._read(BLOCK)
        event = self._spare.pop() if self._spare else self._make_event()
        event.record(self._stream)
        self._unread.append(event)
        self._taken += 1
        return self._taken - 1

    def times(self, moments: np.ndarray) -> np.ndarray:
        """Nanoseconds at these moments."""
        found: np.ndarray = self.nanoseconds[moments]
        return found

    @property
    def nanoseconds(self) -> np.ndarray:
        """When each event of the epoch was taken, from the first one on.

        Added up from one event to the next: an event's resolution is half a microsecond, but the time between two that
        are minutes apart comes in single precision.
        """
        self._read(len(self._unread) - 1)
        return np.cumsum(self._spans, dtype=np.int64)

    def _read(self, events: int) -> None:
        """Add the times from so many events, which the device has taken, each to its next one."""
        for _ in range(events):
            event = self._unread.popleft()
            self._spans.append(round(event.elapsed_time(self._unread[0]) * 1e6))
            self._spare.append(event)


def cuda_clock(device: torch.device, meetings: int = 1) -> EventClock:
    """The clock of a GPU."""
    return EventClock(
        lambda: torch.cuda.Event(enable_timing=True),  # type: ignore[no-untyped-call]
        lambda: torch.cuda.current_stream(device),
        meetings,
    )


def clock_for(devices: Sequence[torch.device], modules: int, meetings: int = 1) -> StepClock:
    """The clock for the devices of a process, of which so many are driven apart, with so many meetings in a step.

    The GPUs of one process are never driven apart: one of them is timed for all.
    """
    if devices[0].type == "cuda":
        return cuda_clock(devices[0], meetings)
    return StepClock(modules, meetings)

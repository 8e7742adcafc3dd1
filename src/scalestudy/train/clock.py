"""Where the time of a step goes: moments are only kept while it runs, and read when the epoch is over.

On a CPU a moment is what ``perf_counter_ns`` says; on a GPU it is the number of an event (cuda_clock.py).

A device's step is cut into laps, each ending with a mark; a lap's time goes to one phase. Where ranks meet, to reduce
gradients or to gather parameters, they also mark when they had done their part and when it was over: what lies
between is exposed communication and waiting for the slowest rank, told apart after the epoch (see ``split_waiting``).
"""

from array import array
from collections.abc import Callable, Sequence
from time import perf_counter_ns

import numpy as np

from scalestudy.records.result import PHASES

DATA, HOST_TO_DEVICE, FORWARD, BACKWARD, COMMUNICATION, WAITING, OPTIMIZER, OTHER = range(len(PHASES))
WIDTH = len(PHASES)
BEGIN = -1
"""In the place of a phase: a step begins, and no lap ends."""


class DeviceClock:
    """Laps of one device over the steps of an epoch. Only the thread that drives the device writes to it."""

    def __init__(self, now: Callable[[], int], times: Callable[[np.ndarray], np.ndarray]) -> None:
        """``now`` and ``times`` as a ``StepClock`` has them."""
        self._now = now
        self._times = times
        self.start_epoch()

    def start_epoch(self) -> None:
        """Forget all laps."""
        self._marks = array("q")  # phase, moment, and so on: appending is all that a step pays for
        self._mark = self._marks.append

    def start_step(self, now: int) -> None:
        """Begin the next step at this moment."""
        mark = self._mark
        mark(BEGIN)
        mark(now)

    def lap(self, phase: int, now: int | None = None) -> int:
        """End a lap now, or at the moment given; its time goes to the phase. Returns the moment."""
        if now is None:
            now = self._now()
        mark = self._mark
        mark(phase)
        mark(now)
        return now

    @property
    def last(self) -> int:
        """When the last lap ended, or the step began."""
        return self._marks[-1]

    def laps(self) -> np.ndarray:
        """Nanoseconds, ``[steps, phases]``."""
        phases, moments = np.array(self._marks, dtype=np.int64).reshape(-1, 2).T
        times = self._times(moments)
        begins = phases == BEGIN
        steps, ends = np.cumsum(begins) - 1, np.flatnonzero(~begins)
        found = np.zeros((np.count_nonzero(begins), WIDTH), dtype=np.int64)
        np.add.at(found, (steps[ends], phases[ends]), times[ends] - times[ends - 1])
        return found


class StepClock:
    """The clocks of all devices of one process, and its meetings with other processes.

    ``meetings``: how many there are in a step. The last is that of all ranks, which leave it together.
    """

    measures_phases = True
    """Whether laps tell where the time went."""
    now: Callable[[], int] = staticmethod(perf_counter_ns)
    """The present moment."""

    def __init__(self, devices: int, meetings: int = 1) -> None:
        self.devices = [DeviceClock(self.now, self.times) for _ in range(devices)]
        self.meetings = meetings
        self.arrived = 0
        """The moment at which the last gradient of the current step was ready."""
        self._forget()

    def _forget(self) -> None:
        self._begins, self._arrivals, self._leaves = array("q"), array("q"), array("q")
        self._ended = False

    def start_epoch(self) -> None:
        """Forget all steps."""
        for clock in self.devices:
            clock.start_epoch()
        self._forget()

    def start_step(self) -> None:
        """Begin the next step; it ends where the one after begins."""
        now = self.now()
        self._begins.append(now)
        for clock in self.devices:
            clock.start_step(now)

    def optimizer_done(self) -> None:
        """The update is over, on all devices of the process at once."""
        now = self.now()
        for clock in self.devices:
            clock.lap(OPTIMIZER, now)

    def end_epoch(self) -> None:
        """End the last step."""
        self._begins.append(self.now())
        self._ended = True

    def met(self, arrived: int, left: int) -> None:
        """The process came to its next meeting at ``arrived``, and all that were to come had come at ``left``."""
        self._arrivals.append(arrived)
        self._leaves.append(left)

    @property
    def steps(self) -> int:
        """Steps begun in this epoch."""
        return len(self._begins) - self._ended

    def step_times(self) -> np.ndarray:
        """Nanoseconds of each step, ``[steps]``, of an epoch that was ended."""
        times: np.ndarray = np.diff(self._times_at(self._begins))
        return times

    def approaches(self) -> np.ndarray:
        """Nanoseconds from the last meeting of the step before to the arrival at each of this one.

        ``[steps, meetings]``. All ranks leave a last meeting together, so these spans compare between hosts whose
        clocks differ.
        """
        arrivals, leaves = self._met(self._arrivals), self._met(self._leaves)
        spans: np.ndarray = arrivals - np.concatenate([self._times_at(self._begins)[:1], leaves[:-1, -1]])[:, None]
        return spans

    def exposed(self) -> np.ndarray:
        """Nanoseconds from arrival to departure, ``[steps, meetings]``: communication and waiting together."""
        spans: np.ndarray = self._met(self._leaves) - self._met(self._arrivals)
        return spans

    def times(self, moments: np.ndarray) -> np.ndarray:
        """Nanoseconds at these moments, from any zero that is the same for all of them."""
        return moments

    def _times_at(self, moments: "array[int]") -> np.ndarray:
        return self.times(np.array(moments, dtype=np.int64))

    def _met(self, moments: "array[int]") -> np.ndarray:
        return self._times_at(moments).reshape(-1, self.meetings)


def split_waiting(approaches: np.ndarray, own: int, exposed: np.ndarray) -> np.ndarray:
    """How much of the exposed time of a meeting rank ``own`` waited for the slowest, in nanoseconds, for each step.

    ``approaches`` is ``[ranks, steps]``, of the ranks that meet. A rank waits from its arrival to that of the last
    one; it cannot wait longer than it was held, which bounds the error that unequal departures leave.
    """
    waited: np.ndarray = np.clip(approaches.max(axis=0) - approaches[own], 0, exposed)
    return waited


def waiting_of(clock: StepClock, approaches: np.ndarray, rank: int, meetings: Sequence[range]) -> np.ndarray:
    """Nanoseconds of each step that a rank waited for others, over all meetings.

    ``approaches`` is ``[ranks, steps, meetings]``; ``meetings`` the ranks that come to each.
    """
    exposed = clock.exposed()
    waited: np.ndarray = sum(
        split_waiting(approaches[ranks.start : ranks.stop, :, place], ranks.index(rank), exposed[:, place])
        for place, ranks in enumerate(meetings)
    )  # type: ignore[assignment]
    return waited


def phase_seconds(clock: StepClock, device: int, waiting: np.ndarray | None) -> np.ndarray:
    """Seconds of the phases of one device, summed over the epoch, ``[phases]``.

    ``waiting`` (nanoseconds per step, from ``waiting_of``) is moved from communication to waiting. What no lap
    covers is ``other``, so that the phases add up to the step time exactly.
    """
    laps = clock.devices[device].laps()
    if waiting is not None:
        laps[:, COMMUNICATION] -= waiting
        laps[:, WAITING] += waiting
    laps[:, OTHER] = clock.step_times() - laps.sum(axis=1)
    seconds: np.ndarray = laps.sum(axis=0) / 1e9
    return seconds

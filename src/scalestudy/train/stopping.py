"""Saving and stopping: on a signal, on a stop file, and before the scheduler's time limit. The run is resumed later."""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from time import time
from types import FrameType

import torch

from scalestudy.errors import StudyError
from scalestudy.train.control import Control

ASK_EVERY_S, ASK_EVERY = 1.0, 32
"""Ranks look and ask each other about so often, but after so many steps at the latest; one process looks as often."""
LOOK_EVERY_S = 1.0
"""How often the stop file is looked for: on a shared file system that is a question to a server."""
MARGIN_S = 30.0
"""The run stops at least so long before the time limit, and earlier where it looks at the clock more rarely."""
EXIT_STOPPED = 75
"""Exit code of a run that saved and stopped (sysexits.h: temporary failure, try again)."""
DEADLINES = ("JOB_DEADLINE", "SLURM_JOB_END_TIME")
"""Environment variables that say when the time limit ends the job, in seconds since 1970; the first one counts."""


class Stopped(Exception):
    """The run saved its state and stopped before its end."""


def deadline(environment: Mapping[str, str]) -> float | None:
    """When the scheduler will end this job, in seconds since 1970; None where it does not say."""
    for name in DEADLINES:
        if value := environment.get(name):
            try:
                return float(value)
            except ValueError as error:
                raise StudyError(f"environment variable {name}: found {value!r}; must be seconds since 1970") from error
    return None


class StopRequest:
    """Knows whether this process has a reason to stop, and asks the others."""

    def __init__(
        self,
        control: Control,
        file: Path | None = None,
        deadline_s: float | None = None,
        clock: Callable[[], float] = time,
    ) -> None:
        """``file``: looked for by this rank; ``deadline_s``: seconds since 1970, on the clock of this host."""
        self._control = control
        self._alone = control.ranks == 1
        """Whether a reason counts at once: nobody else has to stop at the same step."""
        self._steps, self._interval = 0, 1
        self._asked_s: float | None = None
        self._file = file
        self._deadline_s = deadline_s
        self._clock = clock
        self._last_s: float | None = None
        self._longest_gap_s = 0.0
        self._look_at_s = 0.0
        self.reason = ""
        """Why this process wants to stop; empty as long as it does not."""

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as a request to stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self.reason = signal.Signals(number).name

    def agreed(self) -> bool:
        """Whether all ranks stop before the next step. Called for each step; all ranks ask at the same ones."""
        self._steps += 1
        if self._steps < self._interval and not (self._alone and self.reason):
            return False
        return self.agreed_now()

    def agreed_now(self) -> bool:
        """Whether any rank has a reason to stop; asked together."""
        self._look()
        step_s = 0.0 if self._asked_s is None else (self._clock() - self._asked_s) / max(1, self._steps)
        wanted, slowest_s = bool(self.reason), step_s
        if not self._alone:
            answers = self._control.gather(torch.tensor([float(wanted), step_s]))
            wanted, slowest_s = bool(answers[:, 0].any()), float(answers[:, 1].max())
        if slowest_s > 0:
            self._interval = min(ASK_EVERY, max(1, int(ASK_EVERY_S / slowest_s)))
        self._steps, self._asked_s = 0, self._clock()
        return wanted

    def _look(self) -> None:
        """At the clock, and once in a while for the stop file."""
        now = self._clock()
        if self._last_s is not None:
            self._longest_gap_s = max(self._longest_gap_s, now - self._last_s)
        self._last_s = now
        if self.reason:
            return
        if self._deadline_s is not None and now > self._deadline_s - MARGIN_S - 2 * self._longest_gap_s:
            self.reason = "time limit"
        elif self._file is not None and now >= self._look_at_s:
            self._look_at_s = now + LOOK_EVERY_S
            self.reason = "stop file" if self._file.exists() else ""

    def obeyed(self) -> None:
        """The state is saved, or the training is over: the next start is not to stop for the same file."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)

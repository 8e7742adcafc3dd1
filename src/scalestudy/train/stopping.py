"""Saving and stopping when asked to: SIGTERM or Ctrl-C ends a run after the current step, to be resumed later."""

import signal
from types import FrameType

from scalestudy.train.control import Control

CHECK_EVERY = 32
"""Steps between questions to the other ranks; one process looks in every step."""
EXIT_STOPPED = 75
"""Exit code of a run that saved and stopped (sysexits.h: temporary failure, try again)."""


class Stopped(Exception):
    """The run saved its state and stopped before its end."""


class StopRequest:
    """Remembers that this process was asked to stop."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._interval = 1 if control.ranks == 1 else CHECK_EVERY
        self.asked = False

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as a request to stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True

    def agreed(self, step: int) -> bool:
        """Whether all ranks stop before this step; asked together, at the same steps."""
        if step % self._interval:
            return False
        return self._control.any(self.asked)

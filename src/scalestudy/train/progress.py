"""What a person sees while a run trains: a line per epoch, and on a terminal the loss as it falls."""

import sys
from shutil import get_terminal_size
from time import monotonic

from torch import Tensor

REFRESH_S = 0.5


class ProgressLine:
    """Prints for one run; only rank 0 has a talkative one."""

    def __init__(self, title: str, epochs: int, quiet: bool = False) -> None:
        self._title = title
        self._epochs = epochs
        self._quiet = quiet
        self._live = not quiet and sys.stdout.isatty()
        self._next = 0.0
        self._open = False
        """Whether a row on the terminal is to be written over."""

    @property
    def live(self) -> bool:
        """Whether the loss inside an epoch can be seen by anyone."""
        return self._live

    def step(self, epoch: int, step: int, steps: int, loss_sum: Tensor, samples: int) -> None:
        """Refresh the line at most twice a second; reading the loss waits for nothing on a CPU."""
        now = monotonic()
        if now < self._next:
            return
        self._next = now + REFRESH_S
        mean = loss_sum.item() / max(samples, 1)
        text = f"epoch {epoch + 1}/{self._epochs}  step {step + 1}/{steps}  loss {mean:.4f}"
        room = max(0, get_terminal_size().columns - len(f"  {text} "))  # only one row can be cleared
        self._show(self._title[:room], text, end="\r")

    def epoch(self, epoch: int, train_loss: float, accuracy: float, time_s: float, timed: bool) -> None:
        """An epoch is over."""
        untimed = "" if timed else "  (untimed)"
        self._show(
            self._title,
            f"epoch {epoch + 1}/{self._epochs}  loss {train_loss:.4f}  accuracy {accuracy:6.2%}  "
            f"{time_s:.2f} s{untimed}",
        )

    def close(self) -> None:
        """Training ended here, be it in the middle of an epoch: take the row away that nothing writes over."""
        if self._open:
            print("\r\x1b[2K", end="", flush=True)  # the terminal may have written ^C since
            self._open = False

    def _show(self, title: str, text: str, end: str = "\n") -> None:
        if not self._quiet:
            clear = "\x1b[2K" if self._live else ""
            print(f"{clear}{title}  {text}", end=end, flush=True)
            self._open = end == "\r"

"""The ranks of a run on this machine: forked from one process that has imported torch, watched, ended together."""

import ctypes
import multiprocessing
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic, sleep
from types import FrameType

from scalestudy.errors import StudyError
from scalestudy.records.files import write_text
from scalestudy.train.ranks import Rank
from scalestudy.train.stopping import EXIT_STOPPED

GRACE_S = 20.0
"""How long the other ranks may take to end when one has failed."""
POLL_S = 0.02
PR_SET_PDEATHSIG = 1
Work = Callable[[Rank], int]


class RankFailed(StudyError):
    """A rank ended before its work was done; the message names it."""


def run_ranks(work: Work, ranks: int) -> int:
    """Do the work as so many ranks, each a process forked from this one. Returns the largest exit code.

    Requests to stop (SIGTERM, Ctrl-C) are passed on to the ranks. Raises RankFailed when a rank fails; the others are
    ended then. No rank outlives this process.
    """
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all ranks are here; the host's name may not resolve
    with tempfile.TemporaryDirectory(prefix="scalestudy-") as folder:
        meeting = Path(folder)
        context = multiprocessing.get_context("fork")
        processes: list[BaseProcess] = [
            context.Process(
                target=_live,
                args=(work, Rank(rank, ranks, (meeting / "store").as_uri(), one_machine=True), meeting, os.getpid()),
            )
            for rank in range(ranks)
        ]
        sys.stdout.flush()
        sys.stderr.flush()
        restore = _pass_on_requests(processes)
        try:
            for process in processes:
                process.start()
            return _wait(processes, meeting)
        finally:
            for process in processes:
                if process.pid is not None:
                    process.kill()
            restore()


def _pass_on_requests(processes: list[BaseProcess]) -> Callable[[], None]:
    """Send SIGTERM to the ranks when this process is asked to stop; returns what undoes it."""

    def pass_on(_number: int, _frame: FrameType | None) -> None:
        for process in processes:
            if process.pid is not None and process.exitcode is None:
                process.terminate()

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore


def _live(work: Work, rank: Rank, meeting: Path, parent: int) -> None:
    """The life of a rank. Its exit code tells the parent how it ended; a failure is written down in one line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which passes it on once
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _end_with(parent)
    code = 1
    try:
        code = work(rank)
    except BaseException as error:
        write_text(meeting / f"failure{rank.rank}", _one_line(error))
        if not isinstance(error, StudyError):
            traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # no atexit work of the parent's, and no waiting for peers that are gone


def _end_with(parent: int) -> None:
    """Ask the kernel to kill this process when its parent dies, so that no rank trains on alone."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before
            os._exit(1)


def _one_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    message = text[0] if text else ""
    return message if isinstance(error, StudyError) else f"{type(error).__name__}: {message}"


def _wait(processes: list[BaseProcess], meeting: Path) -> int:
    """The exit code once all ranks have ended."""
    failed: int | None = None
    deadline = float("inf")
    while any(process.is_alive() for process in processes):
        sleep(POLL_S)
        if failed is None and (failed := _first_failed(processes)) is not None:
            deadline = monotonic() + GRACE_S
        if monotonic() > deadline:
            for process in processes:
                process.kill()
    failed = _first_failed(processes) if failed is None else failed
    if failed is not None:
        raise RankFailed(_failure(failed, processes[failed].exitcode or 0, len(processes), meeting))
    return max(process.exitcode or 0 for process in processes)


def _first_failed(processes: list[BaseProcess]) -> int | None:
    codes = enumerate(process.exitcode for process in processes)
    return next((rank for rank, code in codes if code not in (None, 0, EXIT_STOPPED)), None)


def _failure(rank: int, code: int, ranks: int, meeting: Path) -> str:
    """What happened to the first rank that failed: its own words, or the signal that ended it."""
    note = meeting / f"failure{rank}"
    if note.exists():
        reason = note.read_text()
    elif code < 0:
        hint = " (out of memory?)" if -code == signal.SIGKILL else ""
        reason = f"was killed by {signal.Signals(-code).name}{hint}"
    else:
        reason = f"ended with exit code {code}"
    return reason if ranks == 1 else f"rank {rank} of {ranks}: {reason}"

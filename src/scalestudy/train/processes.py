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
from time import monotonic, monotonic_ns, sleep
from types import FrameType

from pydantic import BaseModel

from scalestudy.errors import MayPass, StudyError, may_pass
from scalestudy.records.files import read_model, write_model
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

    This process may have imported torch but must not have computed with it: forked ranks with several threads were seen
    to crash then (11 of 50 runs, against none of 75).
    Requests to stop (SIGTERM, Ctrl-C) are passed on to the ranks. Raises RankFailed when a rank fails, or MayPass where
    trying again may help; the others are ended then. No rank outlives this process.
    """
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
        asked, restore = _pass_on_requests(processes)
        try:
            for process in processes:
                process.start()
                if asked:  # before this one was there to be told
                    process.terminate()
            return _wait(processes, meeting)
        finally:
            for process in processes:
                if process.pid is not None:
                    process.kill()
            restore()


def _pass_on_requests(processes: list[BaseProcess]) -> tuple[list[int], Callable[[], None]]:
    """Send SIGTERM to the ranks when this process is asked to stop.

    Returns the signals that came, a list that grows, and what undoes it.
    """
    asked: list[int] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        for process in processes:
            if process.pid is not None and process.exitcode is None:
                process.terminate()

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return asked, restore


def _live(work: Work, rank: Rank, meeting: Path, parent: int) -> None:
    """The life of a rank. Its exit code tells the parent how it ended; a failure is written down in one line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which passes it on once
    # Until the work listens for itself there is nothing to save.
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(EXIT_STOPPED))
    _end_with(parent)
    os.environ.pop("LOCAL_RANK", None)  # of a launcher that started the one process that forked all ranks
    if sys.platform.startswith("linux"):
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all ranks are here; the host's name may not resolve
    code = 1
    try:
        code = work(rank)
    except BaseException as error:
        write_model(meeting / f"failure{rank.rank}", _Failure.of(error))
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


class _Failure(BaseModel):
    """What a rank writes down when it fails."""

    time_ns: int
    """On the machine's monotonic clock: the first failure is the cause of the others."""
    message: str
    mendable: bool
    """The user can mend it; never the mere consequence of another rank's end."""
    may_pass: bool = False
    """Trying again may help: it is no result of the work."""
    trace: str = ""
    """Where it happened, for a failure that the user cannot mend."""

    @classmethod
    def of(cls, error: BaseException) -> "_Failure":
        """In one line."""
        explained = isinstance(error, StudyError)
        text = str(error).strip().splitlines()
        message = text[0] if text else ""
        return cls(
            time_ns=monotonic_ns(),
            message=message if explained else f"{type(error).__name__}: {message}",
            mendable=explained and not isinstance(error, MayPass),
            may_pass=may_pass(error),
            trace="" if explained else "".join(traceback.format_exception(error)),
        )


def _wait(processes: list[BaseProcess], meeting: Path) -> int:
    """The exit code once all ranks have ended. After one that did not do its work the others have GRACE_S to end."""
    deadline = float("inf")
    while any(process.is_alive() for process in processes) and monotonic() < deadline:
        sleep(POLL_S)
        if deadline == float("inf") and _ended_early(processes):
            deadline = monotonic() + GRACE_S
    ended = _ended_early(processes)
    for process in processes:
        process.kill()  # those that hang
        process.join()
    failures = {rank: _failure(rank, code, meeting) for rank, code in ended.items() if code != EXIT_STOPPED}
    if EXIT_STOPPED in ended.values():  # losing sight of a rank that stopped is no failure
        failures = {rank: failure for rank, failure in failures.items() if failure.mendable}
    if failures:
        rank = min(failures, key=lambda rank: failures[rank].time_ns)
        where = "" if len(processes) == 1 else f"rank {rank} of {len(processes)}: "
        sys.stderr.write(failures[rank].trace)  # of the cause alone, not of what followed from it
        kind = MayPass if failures[rank].may_pass else RankFailed
        raise kind(where + failures[rank].message)
    return EXIT_STOPPED if ended else 0


def _ended_early(processes: list[BaseProcess]) -> dict[int, int]:
    """Exit codes of the ranks that have ended before their work was done."""
    codes = enumerate(process.exitcode for process in processes)
    return {rank: code for rank, code in codes if code not in (None, 0)}


def _failure(rank: int, code: int, meeting: Path) -> _Failure:
    """What happened to a rank: its own words, or the signal that ended it, which came before all that followed."""
    note = meeting / f"failure{rank}"
    if note.exists():
        return read_model(note, _Failure)
    if code < 0:
        hint = " (out of memory?)" if -code == signal.SIGKILL else ""
        return _Failure(time_ns=0, message=f"was killed by {signal.Signals(-code).name}{hint}", mendable=False)
    return _Failure(time_ns=0, message=f"ended with exit code {code}", mendable=False)

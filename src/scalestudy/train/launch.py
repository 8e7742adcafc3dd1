"""From ``scalestudy train run.json`` to the ranks of the run.

Where a launcher (SLURM, torchrun) started this process as one of several ranks, it is that rank. Otherwise it starts
the ranks itself: torch is imported once and the processes are forked from it, since import takes seconds.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import tempfile
import traceback
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic, sleep
from types import FrameType

from scalestudy.errors import StudyError
from scalestudy.records.files import write_text
from scalestudy.train.job import Job, run_rank
from scalestudy.train.mesh import Mesh
from scalestudy.train.ranks import Rank, rank_from_environment
from scalestudy.train.stopping import EXIT_STOPPED, Stopped

GRACE_S = 20.0
"""How long the other ranks may take to end when one has failed."""
PR_SET_PDEATHSIG = 1


class RankFailed(StudyError):
    """A rank ended before its work was done; the message names it."""


def train(job: Job) -> int:
    """Train the run in this process and, where needed, in processes started from it. Returns the exit code.

    Raises StudyError for what the user can mend and RankFailed when a rank fails.
    """
    assigned = rank_from_environment(os.environ)
    mesh = Mesh.of(job.run)
    if assigned is not None:
        if assigned.ranks != mesh.processes:
            raise StudyError(
                f"{job.run.id}: started with {assigned.ranks} ranks; it needs {mesh.processes} "
                f"({mesh.nodes} nodes, {mesh.processes_per_node} per node)"
            )
        return _run_here(job, assigned)
    if mesh.processes == 1:
        return _run_here(job, Rank(0, 1, "", one_machine=True))
    if job.run.device == "cpu":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all ranks are here; the host's name may not resolve
    with tempfile.TemporaryDirectory(prefix="scalestudy-") as meeting:
        return _run_processes(job, mesh.processes, Path(meeting))


def _run_here(job: Job, rank: Rank) -> int:
    try:
        run_rank(job, rank)
    except Stopped:
        return EXIT_STOPPED
    return 0


def _run_processes(job: Job, ranks: int, meeting: Path) -> int:
    """Fork the ranks, pass on requests to stop, and end all when one fails."""
    context = multiprocessing.get_context("fork")
    init_method = (meeting / "store").as_uri()
    processes: list[BaseProcess] = [
        context.Process(
            target=_rank_process,
            args=(job, Rank(rank, ranks, init_method, one_machine=True), meeting),
            name=f"rank {rank}",
        )
        for rank in range(ranks)
    ]
    sys.stdout.flush()
    for process in processes:
        process.start()

    def pass_on(_number: int, _frame: FrameType | None) -> None:
        for process in processes:
            if process.is_alive():
                process.terminate()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    try:
        return _wait(processes, meeting)
    finally:
        for process in processes:
            process.kill()


def _rank_process(job: Job, rank: Rank, meeting: Path) -> None:
    """The life of a forked rank. Its exit code tells the parent how it ended; a failure is written down in one line."""
    _end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which passes it on once
    code = 1
    try:
        code = _run_here(job, rank)
    except BaseException as error:
        write_text(meeting / f"failure{rank.rank}", _one_line(error))
        if not isinstance(error, StudyError):
            traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # no atexit work of the parent's, and no waiting for peers that are gone


def _end_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies, so that no rank trains on alone."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _one_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    message = text[0] if text else ""
    return message if isinstance(error, StudyError) else f"{type(error).__name__}: {message}"


def _wait(processes: list[BaseProcess], meeting: Path) -> int:
    """The exit code of the run once all ranks have ended."""
    failed: tuple[int, int] | None = None
    deadline = float("inf")
    while any(process.is_alive() for process in processes):
        sleep(0.02)
        for rank, process in enumerate(processes):
            if failed is None and process.exitcode not in (None, 0, EXIT_STOPPED):
                failed, deadline = (rank, process.exitcode or 1), monotonic() + GRACE_S
        if monotonic() > deadline:
            for process in processes:
                process.kill()
    codes = [process.exitcode or 0 for process in processes]
    if failed is None:
        failed = next(((rank, code) for rank, code in enumerate(codes) if code not in (0, EXIT_STOPPED)), None)
    if failed is not None:
        raise RankFailed(_failure(*failed, len(processes), meeting))
    return max(codes)


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
    return f"rank {rank} of {ranks}: {reason}"

"""From ``scalestudy train run.json`` to the ranks of the run.

Where a launcher (SLURM, torchrun) started this process as one of several ranks, it is that rank. Otherwise it starts
the ranks itself; a run of one process needs no other.
"""

import os
import traceback
from contextlib import nullcontext

from scalestudy.errors import StudyError
from scalestudy.spec.run import Run
from scalestudy.train.failures import first_failure
from scalestudy.train.job import Job, run_rank
from scalestudy.train.lock import only_one
from scalestudy.train.mesh import Mesh
from scalestudy.train.processes import RankFailed, Work, run_ranks
from scalestudy.train.ranks import Rank, rank_from_environment
from scalestudy.train.stopping import EXIT_STOPPED, Stopped


def train(job: Job) -> int:
    """Train the run in this process and, where needed, in processes started from it. Returns the exit code.

    Raises StudyError for what the user can mend, RankFailed when a rank fails, RankLost when one that a launcher
    started ends without a word, and RunBusy when another process trains the run already.
    """
    assigned = _assigned(job.run)
    among_others = assigned is not None and assigned.ranks > 1
    with only_one(job.paths.folder) if assigned is None or assigned.rank == 0 else nullcontext():
        return on_all_ranks(
            lambda rank: _train_among_others(job, rank) if among_others else _train_as(job, rank), job.run, job.run.id
        )


def on_all_ranks(work: Work, run: Run, name: str) -> int:
    """Do the work as the ranks of a run: as the one that a launcher made of this process, or as all of them.

    Returns the exit code. Raises StudyError when a launcher started another number of ranks.
    """
    assigned, mesh = _assigned(run), Mesh.of(run)
    if assigned is not None:
        if assigned.ranks != mesh.processes:
            raise StudyError(
                f"{name}: started with {assigned.ranks} ranks; it needs {mesh.processes} "
                f"({mesh.nodes} nodes, {mesh.processes_per_node} per node)"
            )
        return work(assigned)
    if mesh.processes == 1:
        return work(Rank(0, 1, "", one_machine=True))
    return run_ranks(work, mesh.processes)


def _assigned(run: Run) -> Rank | None:
    """The rank that a launcher made of this process; None where it is to start the ranks itself.

    A launcher that starts one process leaves the ranks of a node to it. It cannot stand for several nodes.
    """
    assigned, mesh = rank_from_environment(os.environ), Mesh.of(run)
    starts_its_own = assigned is not None and assigned.ranks == 1 and mesh.processes > 1 and mesh.nodes == 1
    return None if starts_its_own else assigned


def _train_among_others(job: Job, rank: Rank) -> int:
    """As ``_train_as``, for a rank whose siblings nobody here watches: a failure is traced to the rank that began."""
    try:
        return _train_as(job, rank)
    except Exception as error:
        if not isinstance(error, StudyError):
            traceback.print_exc()
        first, message = first_failure(job.paths, rank.ranks, job.started)
        raise RankFailed(f"rank {first} of {rank.ranks}: {message}") from error


def _train_as(job: Job, rank: Rank) -> int:
    try:
        run_rank(job, rank)
    except Stopped:
        return EXIT_STOPPED
    return 0

"""From ``scalestudy train run.json`` to the ranks of the run.

Where a launcher (SLURM, torchrun) started this process as one of several ranks, it is that rank. Otherwise it starts
the ranks itself; a run of one process needs no other.
"""

import os
import sys
import traceback
from contextlib import nullcontext
from dataclasses import replace

from scalestudy.errors import StudyError
from scalestudy.records.current import is_current
from scalestudy.spec.run import Run
from scalestudy.train.failures import first_failure, hang_up
from scalestudy.train.job import Job, run_rank
from scalestudy.train.lock import WAIT_S, Finished, only_one
from scalestudy.train.mesh import Mesh
from scalestudy.train.processes import Work, run_ranks
from scalestudy.train.ranks import Rank, launched, rank_from_environment
from scalestudy.train.stopping import EXIT_STOPPED, Stopped


def train(job: Job) -> int:
    """Train the run in this process and, where needed, in processes started from it. Returns the exit code.

    Raises StudyError for what the user can mend, RankFailed when a rank fails, MayPass when trying again may help
    (one that a launcher started ends without a word), and RunBusy when another process trains the run already
    (a launched rank waits for it first, which is no part of its times; where that one finishes the run, all is done).
    """
    assigned = rank_from_environment(os.environ)
    leads = assigned is None or assigned.rank == 0
    with only_one(job.paths.folder, WAIT_S if launched(os.environ) else 0) if leads else nullcontext(0.0) as waited_s:
        if waited_s:
            job = replace(job, started=job.started + waited_s, finished=is_current(job.paths.result, job.run.digest))
        if job.finished:
            print(f"{job.paths.folder}: it finished the run", file=sys.stderr)
            if assigned is None or assigned.ranks == 1:
                return 0
        work = _train_as if assigned is None or assigned.ranks == 1 else _train_among_others
        return on_all_ranks(lambda rank: work(job, rank), job.run, job.run.id)


def on_all_ranks(work: Work, run: Run, name: str) -> int:
    """Do the work as the ranks of a run: as the one that a launcher made of this process, or as all of them.

    Returns the exit code. Raises StudyError when a launcher started another number of ranks; one process that it
    starts is left the ranks of a node, but cannot stand for several nodes.
    """
    assigned, mesh = rank_from_environment(os.environ), Mesh.of(run)
    starts_its_own = assigned is None or (assigned.ranks == 1 and mesh.nodes == 1)
    if starts_its_own and mesh.processes > 1:
        return run_ranks(work, mesh.processes)
    rank = assigned or Rank(0, 1, "", one_machine=True)
    if rank.ranks != mesh.processes:
        raise StudyError(
            f"{name}: started with {rank.ranks} rank{'s' * (rank.ranks > 1)}; it needs {mesh.processes} "
            f"({mesh.nodes} nodes, {mesh.processes_per_node} per node)"
        )
    return work(rank)


def _train_among_others(job: Job, rank: Rank) -> int:
    """As one of several ranks that nobody here watches: rank 0 traces a failure to the rank that began."""
    try:
        return _train_as(job, rank)
    except Exception as error:
        if rank.rank > 0:
            raise
        if not isinstance(error, StudyError):
            traceback.print_exc()
        hang_up()
        raise first_failure(job.paths, rank.ranks, job.started) from None


def _train_as(job: Job, rank: Rank) -> int:
    try:
        run_rank(job, rank)
    except Stopped:
        return EXIT_STOPPED
    except Finished:
        pass
    return 0

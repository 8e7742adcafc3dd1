"""Where jobs run without SLURM: processes of this machine, or this very process."""

import contextlib
import os
import pickle
import signal
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from submitit_ranks.cluster import Cluster
from submitit_ranks.ending import JobState, rank_errors
from submitit_ranks.errors import NotSubmitted
from submitit_ranks.rank import Task


class Local(Cluster):
    """Processes on this machine under submitit's local controller, whose process id is the job's id."""

    name = "local"
    ends = "kill"

    def states(self, names: Iterable[str]) -> dict[str, JobState] | None:
        """Those of these jobs that run."""
        alive = list(filter(self._alive, names))
        # As srun --kill-on-bad-exit does; submitit waits for all ranks.
        self.cancel([name for name in alive if any(error for _, error in rank_errors(self.folder, name))])
        return {name: JobState("RUNNING") for name in alive}

    def cancel(self, ids: Sequence[str]) -> None:
        """Ask their commands to end."""
        for name in filter(self._alive, ids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(name), signal.SIGTERM)  # passed on to the ranks; after a SIGINT they would live for 1 s

    def _alive(self, name: str) -> bool:
        with contextlib.suppress(OSError):
            return str(self.folder) in Path(f"/proc/{name}/cmdline").read_text()
        return False


class Debug(Local):
    """This very process: a job is over when it is submitted."""

    name = "debug"
    kept: ClassVar[list[Any]] = []
    """All jobs: submitit names one by its place in memory, and a later one must not have its name."""

    def submit(self, tasks: Sequence[Task]) -> list[Any]:
        """Runs one job after the other, on one rank, and leaves its result as a rank would."""
        from submitit.core.utils import environment_variables

        if (ranks := tasks[0].ranks) > 1:
            raise NotSubmitted(f"debug runs 1 rank, and this job asks for {ranks}; local runs several")
        self.kept.extend(jobs := super().submit(tasks))
        for job in jobs:
            with environment_variables(SUBMITIT_DEBUG_JOB_ID=job.job_id):
                error = job.exception()
            result = ("error", f"{type(error).__name__}: {error}") if error else ("success", None)
            job.paths.result_pickle.write_bytes(pickle.dumps(result))
        return jobs

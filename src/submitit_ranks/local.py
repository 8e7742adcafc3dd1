"""Where jobs run without SLURM: processes of this machine, or this very process."""

import contextlib
import os
import pickle
import signal
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from submitit_ranks import rank
from submitit_ranks.ending import JobState, rank_errors
from submitit_ranks.errors import NotSubmitted


class Local:
    """Processes on this machine under submitit's local controller, whose process id is the job's id."""

    name = "local"
    ends = "kill"
    """The command that ends jobs by their ids."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # SQUEUE_PARTITION leaves jobs out, SCANCEL_INTERACTIVE asks back: they are for terminals.
        plain = (name for name in os.environ if not name.startswith(("SQUEUE_", "SACCT_", "SCANCEL_")))
        self.environment = {name: os.environ[name] for name in plain}

    def submit(self, tasks: Sequence[rank.Task]) -> list[Any]:
        """Submit alike tasks together; submitit's jobs, in the same order. Raises NotSubmitted."""
        import cloudpickle
        from submitit.core import plugins

        cloudpickle.register_pickle_by_value(rank)  # nodes then need submitit, not this package
        executor = plugins.get_executors()[self.name](self.folder)
        executor.update_parameters(**tasks[0].parameters[self.name])

        def submit() -> list[Any]:
            with executor.batch():
                return [executor.submit(task) for task in tasks]

        # In a thread, so that Ctrl-C waits until what is being submitted can be seen, and cancelled. Without SIGINT,
        # which a terminal sends also to what is started there.
        with ThreadPoolExecutor(1, "", signal.pthread_sigmask, (signal.SIG_BLOCK, {signal.SIGINT})) as thread:
            return thread.submit(submit).result()

    def states(self, names: Iterable[str]) -> dict[str, JobState] | None:
        """What is known of these jobs, and of others, by id; None when there is no answer."""
        alive = list(filter(self._alive, names))
        # As srun --kill-on-bad-exit does; submitit waits for all ranks.
        self.cancel([name for name in alive if any(error for _, error in rank_errors(self.folder, name))])
        return {name: JobState("RUNNING") for name in alive}

    def files(self) -> dict[str, Path]:
        """Submitit's file of every job whose end nobody saw, by id."""
        return {path.name.removesuffix("_submitted.pkl"): path for path in self.folder.glob("*_submitted.pkl")}

    def forget(self, name: str) -> None:
        """Delete what submitit keeps of a job, but for its logs: its end has been seen."""
        for path in self.folder.glob(f"{name}_*.pkl"):
            path.unlink()

    def cancel(self, ids: Sequence[str]) -> None:
        """Cancel jobs; raises OSError or SubprocessError."""
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

    def submit(self, tasks: Sequence[rank.Task]) -> list[Any]:
        """Runs one job after the other, on one rank, and leaves its result as a rank would."""
        from submitit.core.utils import environment_variables

        if (ranks := tasks[0].ranks) > 1:
            raise NotSubmitted(f"--submitit-cluster debug runs 1 rank, and this job asks for {ranks}")
        self.kept.extend(jobs := super().submit(tasks))
        for job in jobs:
            with environment_variables(SUBMITIT_DEBUG_JOB_ID=job.job_id):
                error = job.exception()
            result = ("error", f"{type(error).__name__}: {error}") if error else ("success", None)
            job.paths.result_pickle.write_bytes(pickle.dumps(result))
        return jobs

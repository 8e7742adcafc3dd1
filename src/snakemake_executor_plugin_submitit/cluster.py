"""Where jobs run: SLURM, processes of this machine, or this very process."""

import contextlib
import io
import os
import pickle
import re
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from snakemake_executor_plugin_submitit import rank
from snakemake_executor_plugin_submitit.ending import JobState
from snakemake_executor_plugin_submitit.request import NotSubmitted

SUBMIT_AGAIN_AFTER_S = (1, 5, 15, 0)
REFUSED_FOR_GOOD = re.compile(r"invalid|not available|unrecognized|unknown|permission|denied|exceed|not found", re.I)
TOO_MANY = re.compile(r"submit.?(job.?)?limit|MaxSubmit|job array", re.I)
"""What sbatch says at a limit: (job submit limit), QOSMaxSubmitJobPerUserLimit, Invalid job array specification."""


class TooMany(NotSubmitted):
    """So many jobs at once the cluster does not take, or so many of one user."""


class Local:
    """Processes on this machine under submitit's local controller, whose process id is the job's id."""

    name = "local"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def submit(self, tasks: Sequence[rank.Task]) -> list[Any]:
        """Submit alike tasks together; submitit's jobs, in the same order. Raises NotSubmitted."""
        import cloudpickle
        from submitit.core import plugins

        cloudpickle.register_pickle_by_value(rank)  # nodes then need submitit, not this package
        executor = plugins.get_executors()[self.name](self.folder)
        executor.update_parameters(**tasks[0].parameters[self.name])
        with executor.batch():
            return [executor.submit(task) for task in tasks]

    def states(self, names: Iterable[str]) -> dict[str, JobState] | None:
        """What is known of these jobs, and of others, by id; None when there is no answer."""
        return {name: JobState("RUNNING") for name in names if self._alive(name)}

    def saved(self) -> dict[str, rank.Task]:
        """What jobs run whose end nobody saw, by id: submitit's file of it is still there."""
        tasks = {}
        for path in self.folder.glob("*_submitted.pkl"):
            with contextlib.suppress(Exception):  # written by another version
                tasks[path.name.removesuffix("_submitted.pkl")] = pickle.loads(path.read_bytes()).function
        return tasks

    def cancel(self, ids: Sequence[str]) -> None:
        """Cancel jobs; raises OSError or SubprocessError."""
        for name in filter(self._alive, ids):
            os.kill(int(name), signal.SIGINT)

    def _alive(self, name: str) -> bool:
        with contextlib.suppress(OSError):
            return str(self.folder) in Path(f"/proc/{name}/cmdline").read_text()
        return False


class Debug(Local):
    """This very process: a job is over when it is submitted."""

    name = "debug"

    def submit(self, tasks: Sequence[rank.Task]) -> list[Any]:
        """Runs one job after the other, on one rank, and leaves its result as a rank would."""
        if (ranks := tasks[0].ranks) > 1:
            raise NotSubmitted(f"--submitit-cluster debug runs 1 rank, and this job asks for {ranks}")
        for job in (jobs := super().submit(tasks)):
            os.environ["SUBMITIT_DEBUG_JOB_ID"] = job.job_id
            error = job.exception()
            result = ("error", f"{type(error).__name__}: {error}") if error else ("success", None)
            job.paths.result_pickle.write_bytes(pickle.dumps(result))
        return jobs


class Slurm(Local):
    """SLURM: sbatch through submitit, and squeue, sacct and scancel."""

    name = "slurm"

    def submit(self, tasks: Sequence[rank.Task]) -> list[Any]:
        """One sbatch; once more when SLURM is only busy. Raises TooMany at a limit of the site."""
        for pause_s in SUBMIT_AGAIN_AFTER_S:
            try:
                with contextlib.redirect_stderr(io.StringIO()):  # submitit prints what sbatch says, besides raising it
                    return super().submit(tasks)
            except RuntimeError as error:
                said = str(error).strip() or "sbatch failed without a word"
            for path in self.folder.glob("*.pkl"):
                if "_" not in path.name:  # was not submitted
                    path.unlink()
            refused = TooMany if TOO_MANY.search(said) else NotSubmitted
            if refused is TooMany or REFUSED_FOR_GOOD.search(said):
                break
            time.sleep(pause_s)
        raise refused(f"not submitted: {said.splitlines()[-1]}")

    def states(self, names: Iterable[str]) -> dict[str, JobState] | None:
        """One squeue for all jobs of this user; sacct for what it has forgotten, where there is a sacct."""
        fields = "JobArrayID:|,State:|,exit_code:|,NodeList:|,Reason:|,STDOUT:|"
        try:
            rows = _table("squeue", "--array", "--states=all", "--noheader", f"--user={os.getuid()}", "-O", fields)
        except (OSError, subprocess.SubprocessError):
            return None
        found = {name: JobState(state, _exit(code), *facts) for name, state, code, *facts, _ in rows}
        if forgotten := ",".join(name for name in names if name not in found):
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                rows = _table("sacct", "-X", "-n", "-P", "-o", "JobID,State,ExitCode,NodeList", "-j", forgotten)
                ended = {name: JobState(state.split()[0], _exit(code), *facts) for name, state, code, *facts in rows}
                found |= {name: state for name, state in ended.items() if state.over}  # else slurmctld lost it
        return found

    def cancel(self, ids: Sequence[str]) -> None:
        """One scancel."""
        if ids:
            _table("scancel", "--quiet", *ids)


CLUSTERS = {kind.name: kind for kind in (Slurm, Local, Debug)}


def _exit(code: str) -> str:
    """How a job ended, by a wait status (256), as squeue writes it, or by sacct's code and signal (1:0)."""
    status, _, number = (f"{int(code) >> 8}:{int(code) & 127}" if code.isdigit() else code).partition(":")
    return f"exit code {status}" if number in ("", "0") else f"signal {number}"


def _table(*command: str) -> list[list[str]]:
    """The rows of a command's output; raises OSError or SubprocessError when it is missing, fails or takes too long."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return [line.split("|") for line in done.stdout.splitlines()]

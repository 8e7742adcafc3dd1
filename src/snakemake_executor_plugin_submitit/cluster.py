"""Where jobs run. A cluster takes requests, says what became of them, and cancels."""

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from snakemake_executor_plugin_submitit import rank
from snakemake_executor_plugin_submitit.request import Request

COMMAND_TIMEOUT_S = 60
SUBMIT_AGAIN_AFTER_S = (1, 5, 15)
OVER = {
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "REVOKED",
}
OVER |= {"TIMEOUT", "LOST"}  # LOST is our word: no longer in the queue, and no record of its end
HOPELESS = {"BadConstraints", "InvalidAccount", "InvalidQOS", "PartitionConfig", "PartitionNodeLimit"}
HOPELESS |= {"PartitionTimeLimit", "DependencyNeverSatisfied", "launch failed requeued held", "JobHeldAdmin"}
"""SLURM's reasons for which a job would wait in the queue forever."""
REFUSED_FOR_GOOD = re.compile(r"invalid|not available|unrecognized|unknown|permission|denied|exceed|not found", re.I)


class SubmissionFailed(Exception):
    """The cluster did not take a batch; the message is its own reason, in one line."""


@dataclass(frozen=True)
class JobState:
    """What the cluster says of one job."""

    state: str
    exit_code: str = "0:0"
    """Exit code and signal, as SLURM writes them."""
    reason: str = ""
    nodes: str = ""

    @property
    def over(self) -> bool:
        """Whether the job has ended for good."""
        return self.state in OVER

    @property
    def hopeless(self) -> bool:
        """Whether it waits for what will never come."""
        return self.state == "PENDING" and self.reason in HOPELESS


class Cluster(ABC):
    """One place to run jobs. ``folder`` holds submitit's files and the logs of all jobs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def submit(self, requests: Sequence[Request]) -> list[str]:
        """Submit alike requests together and return their ids; raises SubmissionFailed."""

    @abstractmethod
    def states(self, ids: Iterable[str]) -> dict[str, JobState] | None:
        """The state of the jobs that the cluster still knows; None when it does not answer."""

    @abstractmethod
    def cancel(self, ids: Iterable[str]) -> str:
        """Cancel jobs; returns what went wrong, or nothing."""

    def history(self, ids: Iterable[str]) -> dict[str, JobState]:  # noqa: ARG002
        """How jobs ended that ``states`` no longer knows, as far as there is a record."""
        return {}

    def _submit_to(self, executor: Any, requests: Sequence[Request]) -> list[Any]:
        import cloudpickle

        cloudpickle.register_pickle_by_value(rank)  # nodes then need submitit, not this package
        jobs: list[Any] = []
        with executor.batch():
            jobs += [executor.submit(rank.run_rank, **request.task) for request in requests]
        return jobs  # only now: ids exist once the batch is left


class Slurm(Cluster):
    """SLURM, through submitit for submission and through squeue, sacct and scancel for the rest."""

    def submit(self, requests: Sequence[Request]) -> list[str]:
        """One sbatch per batch (more where the site limits arrays); tries again when SLURM is only busy."""
        ids: list[str] = []
        for start in range(0, len(requests), self._largest_array):
            ids += self._submit_array(requests[start : start + self._largest_array])
        return ids

    def _submit_array(self, requests: Sequence[Request]) -> list[str]:
        import submitit

        for pause in (*SUBMIT_AGAIN_AFTER_S, None):
            executor = submitit.SlurmExecutor(self.folder)
            executor.update_parameters(**requests[0].parameters, array_parallelism=len(requests))
            try:
                # submitit prints what sbatch says, besides raising it
                with contextlib.redirect_stderr(io.StringIO()):
                    return [job.job_id for job in self._submit_to(executor, requests)]
            except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
                reason = str(error).strip().splitlines()[-1:] or ["sbatch failed without a word"]
                if pause is None or REFUSED_FOR_GOOD.search(reason[0]):
                    raise SubmissionFailed(reason[0]) from error
                time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def states(self, ids: Iterable[str]) -> dict[str, JobState] | None:
        """One squeue for all jobs of this user: it never complains about ids that SLURM has forgotten."""
        fields = "JobArrayID:|,State:|,exit_code:|,Reason:|,NodeList:|"
        command = ["squeue", "--array", "--states=all", "--noheader", f"--user={os.getuid()}", "-O", fields]
        if (output := _output(command)) is None:
            return None
        wanted = set(ids)
        rows = (line.split("|") for line in output.splitlines() if line.count("|") >= 5)
        return {row[0]: JobState(row[1], _exit_code(row[2]), row[3], row[4]) for row in rows if row[0] in wanted}

    def history(self, ids: Iterable[str]) -> dict[str, JobState]:
        """What sacct remembers; nothing where there is no sacct."""
        if not (wanted := set(ids)) or shutil.which("sacct") is None:
            return {}
        output = _output(["sacct", "-X", "-n", "-P", "-o", "JobID,State,ExitCode,NodeList", "-j", ",".join(wanted)])
        rows = (line.split("|") for line in (output or "").splitlines() if line.count("|") == 3)
        return {row[0]: JobState(row[1].split()[0], row[2], "", row[3]) for row in rows if row[0] in wanted}

    def cancel(self, ids: Iterable[str]) -> str:
        """scancel, 500 jobs a call."""
        todo = list(ids)
        chunks = [todo[start : start + 500] for start in range(0, len(todo), 500)]
        failed = [chunk for chunk in chunks if not any(_output(["scancel", *chunk]) is not None for _ in range(2))]
        return (
            f"scancel failed; left in the queue: {' '.join(name for chunk in failed for name in chunk)}"
            if failed
            else ""
        )

    @cached_property
    def _largest_array(self) -> int:
        found = re.search(r"MaxArraySize\s*=\s*(\d+)", _output(["scontrol", "show", "config"]) or "")
        return max(1, int(found[1]) - 1) if found else 1000


class Local(Cluster):
    """Processes on this machine, under submitit's local controller. An id is the controller's process id."""

    def submit(self, requests: Sequence[Request]) -> list[str]:
        """All ranks of a job run here, on however many nodes it asked for."""
        import submitit

        executor = submitit.LocalExecutor(self.folder)
        executor._throttling = 0.0
        asked = requests[0].parameters
        executor.update_parameters(
            tasks_per_node=requests[0].ranks,
            timeout_min=asked.get("time") or 60 * 24 * 365,
            setup=asked.get("setup", ()),
        )
        return [job.job_id for job in self._submit_to(executor, requests)]

    def states(self, ids: Iterable[str]) -> dict[str, JobState]:
        """Running where the controller lives; otherwise what the ranks left behind."""
        return {name: JobState("RUNNING") if self._alive(name) else self._ended(name) for name in ids}

    def cancel(self, ids: Iterable[str]) -> str:
        """Interrupt the controllers, which end their ranks."""
        for name in filter(self._alive, ids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(name), signal.SIGINT)
        return ""

    def _alive(self, name: str) -> bool:
        try:
            return str(self.folder) in Path(f"/proc/{name}/cmdline").read_text()
        except (OSError, ValueError):
            return False

    def _ended(self, name: str) -> JobState:
        failed = any(True for _ in rank_failures(self.folder, name))
        done = any(self.folder.glob(f"{name}_*_result.pkl")) and not failed
        return JobState("COMPLETED") if done else JobState("FAILED", "1:0")


class Debug(Cluster):
    """This very process, one job after the other; a debugger can step in."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._ended: dict[str, JobState] = {}

    def submit(self, requests: Sequence[Request]) -> list[str]:
        """Runs the jobs before it returns."""
        import submitit

        if requests[0].ranks > 1:
            raise SubmissionFailed(f"--submitit-cluster debug runs 1 rank, and this job asks for {requests[0].ranks}")
        jobs = self._submit_to(submitit.AutoExecutor(self.folder, cluster="debug"), requests)
        for job in jobs:
            os.environ["SUBMITIT_DEBUG_JOB_ID"] = job.job_id
            error = job.exception()
            self._ended[job.job_id] = JobState("FAILED", "1:0", str(error)) if error else JobState("COMPLETED")
        return [job.job_id for job in jobs]

    def states(self, ids: Iterable[str]) -> dict[str, JobState]:
        """All are over."""
        return {name: self._ended[name] for name in ids if name in self._ended}

    def cancel(self, ids: Iterable[str]) -> str:  # noqa: ARG002
        """There is never anything to cancel."""
        return ""


CLUSTERS: dict[str, type[Cluster]] = {"slurm": Slurm, "local": Local, "debug": Debug}


def rank_failures(folder: Path, job_id: str) -> Iterator[tuple[int, str]]:
    """Rank and message of the ranks of a job that failed, the first one first."""
    import cloudpickle

    results = sorted(folder.glob(f"{job_id}_*_result.pkl"), key=lambda path: path.stat().st_mtime_ns)
    for path in results:
        with contextlib.suppress(Exception):  # half written by a rank that was killed
            outcome, trace = cloudpickle.loads(path.read_bytes())
            if outcome == "error":
                yield int(path.name.split("_")[-2]), trace.strip().splitlines()[-1].partition(": ")[2]


def _output(command: list[str]) -> str | None:
    """The command's standard output; None when it is missing, fails or takes too long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _exit_code(field: str) -> str:
    """squeue writes the wait status (256) where sacct writes code:signal (1:0)."""
    if not field.isdigit():
        return field
    return f"{int(field) >> 8}:{int(field) & 127}"

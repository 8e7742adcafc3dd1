"""The executor: submits what Snakemake has ready, watches it, and tells Snakemake how it ended."""

import asyncio
import fcntl
import json
import os
import subprocess
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

from snakemake_executor_plugin_submitit.cluster import CLUSTERS
from snakemake_executor_plugin_submitit.ending import JobState, failure_message, rank_errors
from snakemake_executor_plugin_submitit.rank import Task
from snakemake_executor_plugin_submitit.request import NotSubmitted, task_of


class SubmititExecutor(RemoteExecutor):  # type: ignore[misc]  # the interface has no types
    """Runs the shell commands of rules through submitit; jobs of an earlier Snakemake that still run are taken over."""

    def __post_init__(self) -> None:
        """Called by the interface after its own set-up."""
        name = self.executor_settings.cluster or "slurm"
        if name not in CLUSTERS:
            raise WorkflowError(f"--submitit-cluster {name}: there is no such cluster; choose {', '.join(CLUSTERS)}")
        folder = Path(self.executor_settings.logdir or ".snakemake/submitit").absolute()
        folder.mkdir(parents=True, exist_ok=True)
        self.held = (folder / "lock").open("w")  # until this process ends, however it ends
        try:
            fcntl.flock(self.held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WorkflowError(f"{folder}: another Snakemake watches its jobs here; wait for it, or end it") from None
        except OSError:
            self.logger.warning(f"{folder} is on a file system without locks: run one Snakemake at a time here.")
        self.cluster = CLUSTERS[name](folder)
        self.left_behind: dict[tuple[str, ...], tuple[str, Task, bool]] | None = None
        self.silent = False
        self.missing_since: dict[str, float] = {}
        # Not the interface's active_jobs: it is emptied while they are looked at, and Ctrl-C may come just then.
        self.alive: dict[str, Task] = {}

    def run_job(self, job: Any) -> None:
        """Submit one job."""
        self.run_jobs([job])

    def run_jobs(self, jobs: list[Any]) -> None:
        """Submit every job, alike ones as one array, and report those that could not be."""
        batches: dict[str, list[tuple[Any, Task]]] = defaultdict(list)
        for job in jobs:
            self.run_job_pre(job)
            try:
                task = task_of(job, str(Path.cwd()))
                if not self._take_over(job, task):
                    batches[json.dumps(task.parameters, sort_keys=True)].append((job, task))
            except NotSubmitted as refusal:
                if job.is_group():  # whose message Snakemake does not show
                    self.logger.error(str(refusal))
                self.report_job_error(SubmittedJobInfo(job), msg=f"{refusal}. ")
        for batch in batches.values():
            for start in range(0, len(batch), self.cluster.largest_array):
                self._submit(dict(batch[start : start + self.cluster.largest_array]))

    def _submit(self, batch: dict[Any, Task]) -> None:
        for job in batch:
            self.workflow.async_run(job.prepare())
            job.register()  # incomplete from now on, also if Snakemake dies before it knows the id

        def submit() -> list[str]:
            ids = [job.job_id for job in self.cluster.submit(list(batch.values()))]
            self.alive |= dict(zip(ids, batch.values(), strict=True))
            return ids

        start = time.monotonic()
        try:
            # In a thread, so that Ctrl-C waits until what was submitted is also known, and can be cancelled.
            with ThreadPoolExecutor(1) as thread:
                ids = thread.submit(submit).result()
        except (NotSubmitted, OSError) as failure:
            for job in batch:
                self.report_job_error(SubmittedJobInfo(job), msg=f"{failure}. ")
            return
        for job, name in zip(batch, ids, strict=True):
            self.report_job_submission(SubmittedJobInfo(job, external_jobid=name))
        shown = " to ".join(dict.fromkeys([ids[0], ids[-1]]))
        self.logger.info(
            f"Submitted {len(ids)} x {next(iter(batch)).name} as {shown} in {time.monotonic() - start:.1f} s."
        )

    def _take_over(self, job: Any, task: Task) -> bool:
        """Whether an earlier Snakemake left this job: then it is watched, not run twice."""
        if self.left_behind is None:
            self.left_behind = self._find_left_behind()
        if task.key not in self.left_behind:
            return False
        name, earlier, over = self.left_behind.pop(task.key)
        if (earlier.command, earlier.signature) != (task.command, task.signature):
            self.logger.info(f"Job {name} is of an older command, params or input of rule {job.name}: not taken over.")
            if not over:
                self._cancel([name])
                task.parameters["slurm"]["dependency"] = f"afterany:{name}"  # never two at once
            self._forget(name)
            return False
        self.logger.info(f"Took over job {name} (rule {job.name}).")
        self.alive[name] = task
        self.report_job_submission(SubmittedJobInfo(job, external_jobid=name))
        return True

    def _find_left_behind(self) -> dict[tuple[str, ...], tuple[str, Task, bool]]:
        """Id and task of the jobs whose end nobody saw, and that run, or ended well (True): submitit's files tell."""
        folder = self.cluster.folder
        if not any(folder.glob("*.pkl")):
            return {}
        saved = self.cluster.saved()
        while (states := self._states(saved)) is None:
            time.sleep(5)
        # Killed between sbatch and the naming of the job's file: it waits for the file, then fails. It runs nothing.
        mine = [name for name, state in states.items() if not state.over and state.log.startswith(f"{folder}/")]
        self._cancel([name for name in mine if name not in saved])
        left = {}
        for name, task in saved.items():
            state = states.get(name) or self._from_results(name, task)
            if not state.over or (state.state == "COMPLETED" and all(map(os.path.exists, task.key))):
                left[task.key] = (name, task, state.over)
            else:
                self._forget(name)
        return left

    async def check_active_jobs(self, active_jobs: list[SubmittedJobInfo]) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Ask once for all jobs, report those that are over and yield the others."""
        if not active_jobs:
            return
        names = [str(info.external_jobid) for info in active_jobs]
        states = await asyncio.to_thread(self._states, names)
        for info, name in zip(active_jobs, names, strict=True):
            state = JobState("UNKNOWN") if states is None else states.get(name)
            state = state or self._from_results(name, self.alive[name])
            if state.over or state.hopeless:
                self._finish(info, name, state)
            else:
                yield info

    def _finish(self, info: SubmittedJobInfo, name: str, state: JobState) -> None:
        if state.state == "COMPLETED":
            self.report_job_success(info)
        else:
            self.report_job_error(info, msg=failure_message(self.cluster.folder, name, state))
        if state.hopeless:
            self._cancel([name])
        self._forget(name)

    def _from_results(self, name: str, task: Task) -> JobState:
        """How a job ended that the cluster has forgotten, by its ranks' results, once they may have arrived."""
        results = rank_errors(self.cluster.folder, name)
        if any(error for _, error in results):
            return JobState("FAILED")
        if len(results) == task.ranks:
            return JobState("COMPLETED")
        waited_s = time.monotonic() - self.missing_since.setdefault(name, time.monotonic())
        return JobState("UNKNOWN" if waited_s < self.workflow.execution_settings.latency_wait else "LOST")

    def _forget(self, name: str) -> None:
        self.alive.pop(name, None)
        for path in self.cluster.folder.glob(f"{name}_*.pkl"):
            path.unlink()

    def _states(self, names: Iterable[str]) -> dict[str, JobState] | None:
        """What the cluster says; None, and a warning once, while it does not answer."""
        states = self.cluster.states(names)
        if self.silent != (states is None):
            self.silent = states is None
            self.logger.warning("squeue does not answer; waiting." if self.silent else "squeue answers again.")
        self.missing_since = {name: since for name, since in self.missing_since.items() if name not in (states or ())}
        return states

    def _cancel(self, names: list[str]) -> None:
        try:
            self.cluster.cancel(names)
        except (OSError, subprocess.SubprocessError):
            self.logger.error(f"scancel failed; left in the queue: {' '.join(names)}")

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:  # noqa: ARG002  (see self.alive)
        """Cancel whatever was submitted and is not known to be over."""
        self._cancel(sorted(self.alive))

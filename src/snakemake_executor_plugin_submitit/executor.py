"""The executor: submits what Snakemake has ready, watches it, and tells Snakemake how it ended."""

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

from snakemake_executor_plugin_submitit.cluster import CLUSTERS, TooMany
from snakemake_executor_plugin_submitit.ending import JobState, failure_message, rank_errors
from snakemake_executor_plugin_submitit.rank import Task
from snakemake_executor_plugin_submitit.request import NotSubmitted, task_of


class SubmititExecutor(RemoteExecutor):  # type: ignore[misc]  # the interface has no types
    """Runs the shell commands of rules through submitit; jobs of an earlier Snakemake that still run are taken over."""

    def __post_init__(self) -> None:
        """Called by the interface after its own set-up."""
        self.folder = folder = Path(self.executor_settings.logdir or ".snakemake/submitit").absolute()
        folder.mkdir(parents=True, exist_ok=True)
        self.held = (folder / "lock").open("w")  # until this process ends, however it ends
        try:
            fcntl.flock(self.held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WorkflowError(f"{folder}: another Snakemake watches its jobs here; wait for it, or end it") from None
        except OSError:
            self.logger.warning(f"{folder} is on a file system without locks: run one Snakemake at a time here.")
        self.cluster = CLUSTERS[self.executor_settings.cluster or "slurm"](folder)
        self.left_behind: dict[tuple[str, ...], tuple[str, Task, bool]] | None = None
        self.waiting: list[tuple[Any, Task]] = []  # for room in the queue, where the site limits a user's jobs
        self.silent = False
        self.missing_since: dict[str, float] = {}

    def run_job(self, job: Any) -> None:
        """Submit one job."""
        self.run_jobs([job])

    def run_jobs(self, jobs: list[Any]) -> None:
        """Submit every job, alike ones as one array, and report those that could not be."""
        batch = []
        for job in jobs:
            self.run_job_pre(job)
            try:
                task = task_of(job)
            except NotSubmitted as refusal:
                if job.is_group():  # whose message Snakemake does not show
                    self.logger.error(str(refusal))
                self._refuse([job], refusal)
                continue
            if not self._take_over(job, task):
                self.workflow.async_run(job.prepare())
                job.register()  # incomplete from now on, also if Snakemake dies before it knows the id
                batch.append((job, task))
        self._submit(batch)
        if self.waiting:
            self.logger.info(f"{len(self.waiting)} jobs wait: SLURM takes no more of this user at once.")

    def _submit(self, batch: list[tuple[Any, Task]]) -> None:
        """Alike jobs as one array; at a limit of the site as smaller ones, and what finds no room then waits for it."""
        alike: dict[str, list[tuple[Any, Task]]] = defaultdict(list)
        for job, task in batch:
            alike[json.dumps(task.parameters, sort_keys=True)].append((job, task))
        for group in alike.values():
            size = len(group)
            while group:
                try:
                    self._submit_array(dict(group[:size]))
                except TooMany as limit:
                    if size > 1:
                        size //= 2
                        continue
                    if any(self.folder.glob("*_submitted.pkl")):  # its own jobs, which make room when they end
                        self.waiting += group
                    else:
                        self._refuse(dict(group), limit)
                    break
                except (NotSubmitted, OSError) as refusal:
                    self._refuse(dict(group[:size]), refusal)
                del group[:size]

    def _submit_array(self, batch: dict[Any, Task]) -> None:
        start = time.monotonic()
        with self.lock:
            if not self.wait:  # Ctrl-C came
                return
            # In a thread, so that Ctrl-C waits until what is being submitted can be seen, and cancelled.
            with ThreadPoolExecutor(1) as thread:
                jobs = thread.submit(self.cluster.submit, list(batch.values())).result()
        names = [job.job_id for job in jobs]
        for (job, task), name in zip(batch.items(), names, strict=True):
            self.report_job_submission(SubmittedJobInfo(job, name, {"task": task}))
        shown = " to ".join(dict.fromkeys([names[0], names[-1]]))
        self.logger.info(f"Submitted {len(names)} x {job.name} as {shown} in {time.monotonic() - start:.1f} s.")

    def _refuse(self, jobs: Iterable[Any], reason: Exception) -> None:
        for job in jobs:
            self.report_job_error(SubmittedJobInfo(job), msg=f"{reason}. ")

    def _take_over(self, job: Any, task: Task) -> bool:
        """Whether an earlier Snakemake's job does this, and runs or ended well: it is watched, not run twice."""
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
        self.report_job_submission(SubmittedJobInfo(job, name, {"task": task}))
        return True

    def _find_left_behind(self) -> dict[tuple[str, ...], tuple[str, Task, bool]]:
        """Id and task of the jobs whose end nobody saw, and that run, or ended well (True): submitit's files tell."""
        if not any(self.folder.glob("*.pkl")):
            return {}
        saved = self.cluster.saved()
        while (states := self._states(saved)) is None:
            time.sleep(5)
        # Killed between sbatch and the naming of the job's file: it waits for the file, then fails. It runs nothing.
        self._cancel([name for name in self._in_queue(states) if name not in saved])
        left = {}
        for name, task in saved.items():
            state = states.get(name) or self._from_results(name, task)
            if not state.over or (state.state == "COMPLETED" and all(map(os.path.exists, task.key))):
                left[task.key] = (name, task, state.over)
            else:
                self._forget(name)
        return left

    def _in_queue(self, states: dict[str, JobState]) -> list[str]:
        return [name for name, state in states.items() if not state.over and state.log.startswith(f"{self.folder}/")]

    async def check_active_jobs(self, active_jobs: list[SubmittedJobInfo]) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Ask once for all jobs, report those that are over and yield the others; submit what waits in their place."""
        states = self._states([info.external_jobid for info in active_jobs]) if active_jobs else {}
        room = 1  # others make room, too
        for info in active_jobs:
            name, task = str(info.external_jobid), info.aux["task"]
            state = JobState("UNKNOWN") if states is None else states.get(name) or self._from_results(name, task)
            if not (state.over or state.hopeless):
                yield info
                continue
            room += 1
            if state.state == "COMPLETED":
                self.report_job_success(info)
            else:
                self.report_job_error(info, msg=failure_message(self.folder, name, state))
            if state.hopeless:
                self._cancel([name])
            self._forget(name)
        if self.waiting:
            batch, self.waiting = self.waiting[:room], self.waiting[room:]
            self._submit(batch)

    def _states(self, names: Iterable[str]) -> dict[str, JobState] | None:
        """What the cluster says; None, and a warning once, while it does not answer."""
        states = self.cluster.states(names)
        if self.silent != (states is None):
            self.silent = states is None
            self.logger.warning("squeue does not answer; waiting." if self.silent else "squeue answers again.")
        self.missing_since = {name: since for name, since in self.missing_since.items() if name not in (states or ())}
        return states

    def _from_results(self, name: str, task: Task) -> JobState:
        """How a job ended that the cluster has forgotten, by its ranks' results, once they may have arrived."""
        results = rank_errors(self.folder, name)
        if any(error for _, error in results):
            return JobState("FAILED")
        if len(results) == task.ranks:
            return JobState("COMPLETED")
        waited_s = time.monotonic() - self.missing_since.setdefault(name, time.monotonic())
        return JobState("UNKNOWN" if waited_s < self.workflow.execution_settings.latency_wait else "LOST")

    def _forget(self, name: str) -> None:
        for path in self.folder.glob(f"{name}_*.pkl"):
            path.unlink()

    def _cancel(self, names: list[str]) -> None:
        try:
            self.cluster.cancel(names)
        except (OSError, subprocess.SubprocessError):
            self.logger.error(f"scancel failed; left in the queue: {' '.join(names)}")

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:  # noqa: ARG002  (emptied while it is looked at)
        """Cancel all that was submitted or taken over, also what a Ctrl-C kept from being recorded."""
        with self.lock:
            self.wait = False
        if self.left_behind is None:
            return  # nothing yet
        saved = self.cluster.saved()
        names = {*saved, *self._in_queue(self._states(saved) or {})}
        self._cancel(sorted(names - {name for name, *_ in self.left_behind.values()}))

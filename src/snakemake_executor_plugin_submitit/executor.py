"""The executor: submits what Snakemake has ready, watches it, and tells Snakemake how it ended."""

import asyncio
import json
import signal
import threading
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

from snakemake_executor_plugin_submitit.cluster import CLUSTERS, JobState, SubmissionFailed, rank_failures
from snakemake_executor_plugin_submitit.report import failure_message
from snakemake_executor_plugin_submitit.request import RefusedJob, Request, request_of


class SubmititExecutor(RemoteExecutor):  # type: ignore[misc]  # the interface has no types
    """Runs the shell commands of rules through submitit; jobs of an earlier Snakemake that still run are taken over."""

    def __post_init__(self) -> None:
        """Called by the interface after its own set-up."""
        name = self.executor_settings.cluster or "slurm"
        if name not in CLUSTERS:
            raise WorkflowError(f"--submitit-cluster {name}: there is no such cluster; choose {', '.join(CLUSTERS)}")
        folder = Path(self.executor_settings.logdir or ".snakemake/submitit").absolute()
        folder.mkdir(parents=True, exist_ok=True)
        self.cluster = CLUSTERS[name](folder)
        self.silent = False
        self.missing_since: dict[str, float] = {}
        # Ids that this process knows. Its own record: the interface empties active_jobs while they are looked at,
        # and Ctrl-C may come just then.
        self.seen: set[str] = set()
        self.alive: set[str] = set()

    def run_job(self, job: Any) -> None:
        """Submit one job."""
        self.run_jobs([job])

    def run_jobs(self, jobs: list[Any]) -> None:
        """Submit every job, alike ones as one array, and report those that could not be."""
        requests = dict(self._requests(jobs))
        taken = self._take_over(requests)
        batches: dict[str, list[Any]] = defaultdict(list)
        for job, request in requests.items():
            if job not in taken:
                batches[json.dumps(request.parameters, sort_keys=True)].append(job)
        for batch in batches.values():
            self._submit(batch, [requests[job] for job in batch])

    def _requests(self, jobs: list[Any]) -> Iterator[tuple[Any, Request]]:
        for job in jobs:
            self.run_job_pre(job)
            try:
                yield job, request_of(job, str(Path.cwd()))
            except RefusedJob as refusal:
                self.report_job_error(SubmittedJobInfo(job), msg=f"{refusal}. ")

    def _submit(self, jobs: list[Any], requests: list[Request]) -> None:
        for job in jobs:
            self.workflow.async_run(job.prepare())
        start = time.monotonic()
        with _interrupt_deferred():
            try:
                ids = self.cluster.submit(requests)
            except SubmissionFailed as failure:
                for job in jobs:
                    self.report_job_error(SubmittedJobInfo(job), msg=f"not submitted: {failure}. ")
                return
            self.seen.update(ids)
            self.alive.update(ids)
            for job, external_id in zip(jobs, ids, strict=True):
                self.report_job_submission(SubmittedJobInfo(job, external_jobid=external_id))
        shown = ids[0] if len(ids) == 1 else f"{ids[0]} to {ids[-1]}"
        self.logger.info(f"Submitted {len(ids)} x {jobs[0].name} as {shown} in {time.monotonic() - start:.1f} s.")

    # taking over

    def _take_over(self, requests: dict[Any, Request]) -> set[Any]:
        """Jobs that an earlier Snakemake left running (or that ended well since) are watched, not run twice."""
        found = {job: ids[0] for job in requests if len(ids := self.workflow.persistence.external_jobids(job)) == 1}
        found = {job: name for job, name in found.items() if name not in self.seen}
        if not found:
            return set()
        states = self.cluster.states(found.values())
        taken = set()
        for job, name in found.items():
            # No answer means unknown, and unknown is not over: it is watched until SLURM says more.
            state = JobState("UNKNOWN") if states is None else states.get(name)
            same = self._submitted_command(name) == requests[job].task["command"]
            if not self._worth_taking(job, state):
                continue
            if not same:
                self.logger.info(f"Job {name} runs an older command of rule {job.name}: cancelled.")
                self.cluster.cancel([name])
                continue
            self.logger.info(f"Took over job {name} (rule {job.name}).")
            self.seen.add(name)
            self.alive.add(name)
            self.report_job_submission(SubmittedJobInfo(job, external_jobid=name))
            taken.add(job)
        return taken

    def _worth_taking(self, job: Any, state: JobState | None) -> bool:
        if state is None or (state.over and state.state != "COMPLETED"):
            return False
        return not state.over or all(Path(path).exists() for path in job.output)

    def _submitted_command(self, name: str) -> str | None:
        from submitit.core import utils

        try:
            submission = utils.DelayedSubmission.load(utils.JobPaths(self.cluster.folder, name).submitted_pickle)
            return str(submission.kwargs["command"])
        except Exception:  # a folder that was cleaned, a pickle of another version: not the same command
            return None

    # watching

    async def check_active_jobs(self, active_jobs: list[SubmittedJobInfo]) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Ask once for all jobs, report those that are over and yield the others."""
        if not active_jobs:
            return
        names = [str(info.external_jobid) for info in active_jobs]
        states = await asyncio.to_thread(self.cluster.states, names)
        self._note_silence(states is None)
        if states is None:
            for info in active_jobs:
                yield info
            return
        forgotten = [name for name in names if name not in states]
        records = await asyncio.to_thread(self.cluster.history, forgotten)
        # A record that still says RUNNING is of a job that slurmctld lost: only an end counts.
        states |= {name: record for name, record in records.items() if record.over}
        for info, name in zip(active_jobs, names, strict=True):
            state = states.get(name) or self._from_results(name)
            if state is None or not (state.over or state.hopeless):
                yield info
            else:
                self._finish(info, name, state)

    def _finish(self, info: SubmittedJobInfo, name: str, state: JobState) -> None:
        if state.hopeless:
            self.cluster.cancel([name])
        self.alive.discard(name)
        if state.state == "COMPLETED":
            self.report_job_success(info)
        else:
            self.report_job_error(info, msg=failure_message(self.cluster.folder, name, state) + "\n")

    def _from_results(self, name: str) -> JobState | None:
        """How a job ended that SLURM has forgotten, by its ranks' results; None until they may have arrived."""
        folder = self.cluster.folder
        if next(rank_failures(folder, name), None):
            return JobState("FAILED", "1:0")
        since = self.missing_since.setdefault(name, time.monotonic())
        if time.monotonic() - since < self.workflow.execution_settings.latency_wait:
            return None
        done = any(folder.glob(f"{name}_*_result.pkl"))
        return JobState("COMPLETED") if done else JobState("LOST", "1:0")

    def _note_silence(self, silent: bool) -> None:
        if silent != self.silent:
            self.logger.warning("squeue does not answer; waiting." if silent else "squeue answers again.")
        self.silent = silent

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:  # noqa: ARG002  (see self.alive)
        """Cancel whatever was submitted and is not known to be over."""
        if problem := self.cluster.cancel(sorted(self.alive)):
            self.logger.error(problem)


@contextmanager
def _interrupt_deferred() -> Iterator[None]:
    """Ctrl-C waits until what was submitted is also known, so that it can be cancelled."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt

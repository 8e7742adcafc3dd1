"""The executor: submits what Snakemake has ready, watches it, and tells Snakemake how it ended."""

import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import time
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path
from typing import Any

from snakemake.exceptions import RuleException
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

from snakemake_executor_plugin_submitit.request import task_of
from submitit_ranks import CLUSTERS
from submitit_ranks.ending import JobState, failure_message, rank_errors
from submitit_ranks.errors import Busy, NotSubmitted, TooMany
from submitit_ranks.rank import Task


class SubmititExecutor(RemoteExecutor):  # type: ignore[misc]  # the interface has no types
    """Runs the shell commands of rules through submitit; jobs of an earlier Snakemake that still run are taken over."""

    def __post_init__(self) -> None:
        """Called by the interface after its own set-up."""
        self.folder = folder = Path(".snakemake/submitit").absolute()
        if "%" in str(folder):
            raise WorkflowError(f"{folder}: SLURM would read the % as a pattern of names; work in a folder without one")
        folder.mkdir(parents=True, exist_ok=True)
        self.held = (folder / "lock").open("w")  # until this process ends, however it ends
        try:
            fcntl.flock(self.held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WorkflowError(f"{folder}: another Snakemake watches its jobs here; wait for it, or end it") from None
        except OSError:
            self.logger.warning(f"{folder} has no locks: run one Snakemake at a time here: two cancel each other's.")
        self.waiting: deque[tuple[Any, Task]] = deque()  # for SLURM to answer; or for room, where the site sets a limit
        self.reason: NotSubmitted | None = None  # why they wait
        self.reasons: set[str] = set()
        """As far as they were said."""
        self.silent = False
        self.missing_since: dict[str, float] = {}
        self.told: set[str] = set()
        """For what SLURM holds jobs back, as far as it was said."""
        kind = self.executor_settings.cluster or "slurm"
        self.cluster = CLUSTERS[kind](folder)
        mark = folder / "kind"
        before = mark.read_text() if mark.exists() else ""
        if before not in ("", kind) and self.cluster.files():  # whose ids mean nothing
            left = f"jobs of --submitit-cluster {before} were left here, and may still run"
            raise WorkflowError(f"{folder}: {left}; go on with it, or end them and delete this folder")
        mark.write_text(kind)
        self.left_behind = self._find_left_behind()
        self.on_ctrl_c = signal.getsignal(signal.SIGINT)
        if self.on_ctrl_c is signal.default_int_handler:
            set_on_ctrl_c(only_once)

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
                if self._take_over(job, task):
                    continue
                self.workflow.async_run(job.prepare())
                job.register()  # incomplete from now on, also if Snakemake dies before it knows the id
                batch.append((job, task))
            except (NotSubmitted, OSError, RuleException, WorkflowError) as refusal:
                if job.is_group():  # whose message Snakemake does not show
                    self.logger.error(str(refusal))
                self._refuse([job], refusal)
        self._submit(batch)

    def _submit(self, batch: Iterable[tuple[Any, Task]], crowded: bool = True) -> None:
        """Alike jobs as one array; at a limit of the site as smaller ones. What SLURM does not take now waits, at a
        limit only where jobs of the user's may end (``crowded``)."""
        alike: dict[str, list[tuple[Any, Task]]] = defaultdict(list)
        for job, task in batch:
            alike[json.dumps(task.parameters, sort_keys=True)].append((job, task))
        for group in alike.values():
            size = len(group)
            while group:
                try:
                    self._submit_array(dict(group[:size]))
                    crowded = True
                except Busy as silence:
                    self._wait([pair for others in alike.values() for pair in others], silence)
                    return
                except TooMany as limit:
                    if size > 1:
                        size //= 2
                        continue
                    if crowded or limit.of_others:  # room comes when they end, or those of colleagues
                        self._wait(group, limit)
                    else:
                        self._refuse(dict(group), limit)
                    size = len(group)
                except (NotSubmitted, OSError) as refusal:
                    self._refuse(dict(group[:size]), refusal)
                del group[:size]

    def _wait(self, batch: list[tuple[Any, Task]], reason: NotSubmitted) -> None:
        """Try again at the next poll, and say so once."""
        self.waiting.extend(batch)
        said = re.sub(r"\d+", "", str(reason))  # sites count in their answers
        if said not in self.reasons:
            self.logger.warning(f"Jobs that wait until SLURM takes them: {len(self.waiting)}; {reason}")
        self.reasons.add(said)
        self.reason = reason

    def _submit_array(self, batch: dict[Any, Task]) -> None:
        start = time.monotonic()
        with self.lock:
            if not self.wait:  # Ctrl-C came
                return
            names = [job.job_id for job in self.cluster.submit(list(batch.values()))]
        for (job, task), name in zip(batch.items(), names, strict=True):
            self.report_job_submission(SubmittedJobInfo(job, name, {"task": task}))
        shown = " to ".join(dict.fromkeys([names[0], names[-1]]))
        self.logger.info(f"Submitted {len(names)} x {job.name} as {shown} in {time.monotonic() - start:.1f} s.")

    def _refuse(self, jobs: Iterable[Any], reason: Exception) -> None:
        for job in jobs:
            self._fail(SubmittedJobInfo(job), f"{reason}. ", final=isinstance(reason, NotSubmitted))

    def _fail(self, info: SubmittedJobInfo, message: str, final: bool) -> None:
        """Report a failure; a final one would be the same at every attempt, and Snakemake makes no other."""
        if final:
            info.job.attempt = info.job.restart_times + 1
        self.report_job_error(info, msg=message)

    def _take_over(self, job: Any, task: Task) -> bool:
        """Whether an earlier Snakemake's job does this, and runs or ended well: it is watched, not run twice."""
        if task.key not in self.left_behind:
            return False
        name, earlier, over = self.left_behind.pop(task.key)
        # Of the input what counts now: what was `ancient` then need not be so now, nor the other way round.
        newer = {(file, time) for file, time, counts in task.inputs if counts} - {one[:2] for one in earlier.inputs}
        if newer or (earlier.command, earlier.signature) != (task.command, task.signature):
            self.logger.info(f"Job {name} is of an older command, params or input of rule {job.name}: not taken over.")
            if over or self._cancel([name]):
                self.cluster.forget(name)
            if not over:
                task.parameters["slurm"]["dependency"] = f"afterany:{name}"  # never two at once
            return False
        self.logger.info(f"Took over job {name} (rule {job.name}).")
        self.report_job_submission(SubmittedJobInfo(job, name, {"task": task}))
        return True

    def _find_left_behind(self) -> dict[tuple[str, ...], tuple[str, Task, bool]]:
        """Id and task of the jobs whose end nobody saw, and that run, or ended well (True)."""
        files = self.cluster.files()
        while (states := self._states(files) if files else {}) is None:
            time.sleep(5)
        left = {}
        for name, file in files.items():
            with contextlib.suppress(Exception):  # written by another version
                task = self.cluster.task(file)
                state = self._state(states, name, task)
                if not state.over or (state.state == "COMPLETED" and all(map(os.path.exists, task.key))):
                    left[task.key] = (name, task, state.over)
                    continue
            self.cluster.forget(name)
        return left

    def _in_queue(self, states: dict[str, JobState]) -> list[str]:
        """What can be cancelled of the jobs of this folder."""
        own = {name: state for name, state in states.items() if state.log.startswith(f"{self.folder}/")}
        return [name for name, state in own.items() if not state.over and state.state != "COMPLETING"]

    async def check_active_jobs(self, active_jobs: list[SubmittedJobInfo]) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Ask once for all jobs, report those that are over and yield the others; then submit what waits."""
        names = [str(info.external_jobid) for info in active_jobs]
        states = self._states(names) if names or self.waiting else {}
        with self.lock:  # no sbatch is under way
            files = self.cluster.files()
        # Without a file it waits for the file, and runs nothing: sbatch said that it had failed, or was killed.
        strays = [name for name in self._in_queue(states or {}) if name not in files]
        known = {name: states[name] for name in names if name in states} if states else {}
        cancelled = self._cancel([*strays, *(name for name, state in known.items() if state.hopeless)])
        held = {state.held for state in known.values() if state.held}
        for reason in sorted(held - self.told):
            self.logger.warning(f"SLURM holds jobs back; its reason: {reason}")
        self.told |= held
        room = 1  # others make room, too
        for info, name in zip(active_jobs, names, strict=True):
            state = self._state(states, name, info.aux["task"])
            if not state.over and not (state.hopeless and cancelled):
                yield info
                continue
            room += 1
            if state.state == "COMPLETED":
                self.report_job_success(info)
            else:
                final = state.hopeless and not state.not_launched
                self._fail(info, failure_message(self.folder, name, state), final)
            self.cluster.forget(name)
        if not self.waiting:
            self.reason = None
            self.reasons.clear()
        elif states is not None:
            # Who else has jobs is asked before sbatch is: what ended between the two has made room.
            crowded = not all(one.over for one in states.values())
            few = isinstance(self.reason, TooMany) and (crowded or self.reason.of_others)
            count = min(room, len(self.waiting)) if few else len(self.waiting)
            self._submit([self.waiting.popleft() for _ in range(count)], crowded)

    def _states(self, names: Iterable[str]) -> dict[str, JobState] | None:
        """What the cluster says; None, and a warning once, while it does not answer."""
        states = self.cluster.states(names)
        if self.silent != (states is None):
            self.silent = states is None
            self.logger.warning("squeue does not answer; waiting." if self.silent else "squeue answers again.")
        self.missing_since = {name: since for name, since in self.missing_since.items() if name not in (states or ())}
        return states

    def _state(self, states: dict[str, JobState] | None, name: str, task: Task) -> JobState:
        """Of one job; of one that the cluster has forgotten by its ranks' results, once they may have arrived."""
        if states is None:
            return JobState("UNKNOWN")
        if name in states:
            return states[name]
        results = rank_errors(self.folder, name)
        if any(error for _, error in results):
            return JobState("FAILED")
        if len(results) == task.ranks:
            return JobState("COMPLETED")
        waited_s = time.monotonic() - self.missing_since.setdefault(name, time.monotonic())
        return JobState("UNKNOWN" if waited_s < self.workflow.execution_settings.latency_wait else "LOST")

    def _cancel(self, names: list[str]) -> bool:
        """Whether they were."""
        try:
            self.cluster.cancel(names)
        except (OSError, subprocess.SubprocessError):
            self.logger.error(f"scancel failed; left in the queue: {' '.join(names)}")
            return False
        return True

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:  # noqa: ARG002  (emptied while it is looked at)
        """Cancel all that was submitted or taken over, also what a Ctrl-C kept from being recorded."""
        with self.lock:
            self.wait = False
        files = self.cluster.files()
        names = {*files, *self._in_queue(self._states(files) or {})}
        self._cancel(sorted(names - self._not_asked_for()))

    def shutdown(self) -> None:
        """Also name what runs on: what an earlier Snakemake left behind and this one did not ask for, since another one
        may want it; and all, where an error ended the watching."""
        watching = self.wait  # else Ctrl-C has cancelled the rest
        super().shutdown()
        names = set(self.cluster.files()) if watching else self._not_asked_for()
        states = self._states(names) if names else None
        if on := sorted(name for name, state in (states or {}).items() if name in names and not state.over):
            what = f"Jobs that nothing here waits for still run or wait: {len(on)}"
            self.logger.warning(f"{what}. To end them: {self.cluster.ends} {' '.join(on)}")
        set_on_ctrl_c(self.on_ctrl_c)

    def _not_asked_for(self) -> set[str]:
        return {name for name, *_ in self.left_behind.values()}


def set_on_ctrl_c(handler: Any) -> None:
    """What Ctrl-C does from now on, for which only the main thread can say it; None: what no Python set."""
    with contextlib.suppress(ValueError, TypeError):
        signal.signal(signal.SIGINT, handler)


def only_once(number: int, frame: Any) -> None:
    """Ctrl-C, and another one would leave jobs in the queue."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.default_int_handler(number, frame)

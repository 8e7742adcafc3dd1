"""What runs on the nodes: one rank of a job. It travels inside submitit's pickle, and needs submitit alone."""

import os
import resource
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """The shell command of a job, for every rank of it."""

    key: tuple[str, ...]
    """Which job it is: its outputs."""
    command: tuple[str, ...]
    """The shell and its arguments."""
    signature: str
    """Its params: with others it would be another job."""
    ranks: int
    threads: int
    runtime_min: int | None
    parameters: dict[str, dict[str, Any]]
    """What submitit is told, by the kind of cluster. Tasks with equal parameters form an array."""
    inputs: tuple[tuple[str, int, bool], ...] = ()
    """Path and time (ns) of each input file, and whether a newer one makes it another job."""

    def __call__(self) -> None:
        """Run as this rank; raises RuntimeError that names rank, host and exit code or signal: srun ends the others."""
        asked: list[int] = []
        children: list[subprocess.Popen[bytes]] = []

        def pass_on(number: int, _frame: object) -> None:
            asked.append(number)
            for child in children:
                child.terminate()  # not the whole session: see below

        if "SUBMITIT_DEBUG_JOB_ID" not in os.environ:  # else this process is the one that submits
            # SLURM may tell only this process (proctrack/cgroup); without SLURM, a terminal does, and submitit 30 s
            # before its time limit (SIGUSR2). From before the command is there, which it would outlive unwatched.
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
                signal.signal(number, pass_on)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # which `Cluster.submit` blocked
        if "SUBMITIT_FOLDER" in os.environ:  # what this rank left before SLURM started the job again says nothing now
            from submitit import JobEnvironment

            JobEnvironment().paths.result_pickle.unlink(missing_ok=True)
        environment = self.environment()
        # A session of its own: a signal for the ranks must not reach what the command keeps running beside itself,
        # such as the process that serves a container's file system.
        child = subprocess.Popen(self.command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
        children.append(child)
        if asked:
            child.terminate()
        try:
            code = child.wait()
        except KeyboardInterrupt:
            child.terminate()
            child.wait()  # it may save, and another one must not begin beside it
            raise
        if code:
            ending = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            if code in (-signal.SIGKILL, 128 + signal.SIGKILL):
                held_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
                ending += f" (out of memory? its largest process had held {held_mb:.0f} MB)"
            raise RuntimeError(f"rank {environment['RANK']} on {socket.gethostname()} {ending}")

    def environment(self) -> dict[str, str]:
        """Where this rank stands, as torch.distributed reads it; thread limits; JOB_DEADLINE (s, epoch)."""
        from submitit import JobEnvironment

        here = JobEnvironment()
        job_number = int("".join(filter(str.isdigit, here.raw_job_id)))
        # Without what tells submitit in which job it is: the command may be a program that submits jobs of its own.
        environment = {name: os.environ[name] for name in os.environ if not name.startswith("SUBMITIT_")} | {
            "RANK": str(here.global_rank),
            "WORLD_SIZE": str(here.num_tasks),
            "LOCAL_RANK": str(here.local_rank),
            "LOCAL_WORLD_SIZE": str(here.num_tasks // here.num_nodes),
            "NODE_RANK": str(here.node),
            "MASTER_ADDR": here.hostnames[0] if here.num_nodes > 1 else "127.0.0.1",
            # Below 32768, where Linux begins to hand out ports to outgoing connections.
            "MASTER_PORT": str(20_000 + job_number % 12_000),
        }
        for library in ("OMP", "MKL", "OPENBLAS", "GOTO", "NUMEXPR"):
            environment[f"{library}_NUM_THREADS"] = str(self.threads)
        if self.runtime_min or "SLURM_JOB_END_TIME" in environment:
            end_s = int(environment.get("JOB_STARTED", time.time())) + 60 * (self.runtime_min or 0)
            environment["JOB_DEADLINE"] = environment.get("SLURM_JOB_END_TIME", str(end_s))
        return environment

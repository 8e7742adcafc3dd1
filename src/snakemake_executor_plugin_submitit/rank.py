"""What runs on the nodes: one rank of a job. It travels inside submitit's pickle: standard library only."""

import os
import signal
import socket
import subprocess
import time

PORT_BASE, PORT_SPAN = 20_000, 12_000
"""MASTER_PORT lies below 32768, where Linux begins to hand out ports to outgoing connections."""


def run_rank(command: str, shell: str, workdir: str, threads: int, runtime_min: int | None) -> None:
    """Run ``command`` as this rank, in ``workdir``.

    Raises RuntimeError, naming rank, host and exit code or signal, when the command fails: submitit then exits with 1,
    and srun ends the other ranks.
    """
    place = rank_environment()
    environment = os.environ | place | thread_limits(threads) | deadline(runtime_min)
    # A session of its own: a signal for the ranks must not reach what the command keeps running beside itself,
    # such as the process that serves a container's file system.
    child = subprocess.Popen(
        [shell, "-c", command], cwd=workdir, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        code = child.wait()
    except BaseException:
        os.killpg(child.pid, signal.SIGTERM)
        raise
    if code:
        ending = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        raise RuntimeError(f"rank {place['RANK']} on {socket.gethostname()} {ending}")


def rank_environment() -> dict[str, str]:
    """Where this rank stands, in the variables that torch.distributed reads."""
    from submitit import JobEnvironment

    here = JobEnvironment()
    job_number = int("".join(character for character in here.raw_job_id if character.isdigit()))
    return {
        "RANK": str(here.global_rank),
        "WORLD_SIZE": str(here.num_tasks),
        "LOCAL_RANK": str(here.local_rank),
        "LOCAL_WORLD_SIZE": str(here.num_tasks // here.num_nodes),
        "NODE_RANK": str(here.node),
        "MASTER_ADDR": here.hostnames[0] if here.num_nodes > 1 else "127.0.0.1",
        "MASTER_PORT": str(PORT_BASE + job_number % PORT_SPAN),
    }


def thread_limits(threads: int) -> dict[str, str]:
    """The limits that Snakemake itself sets around a shell command."""
    libraries = ("OMP", "MKL", "OPENBLAS", "GOTO", "NUMEXPR")
    return {f"{library}_NUM_THREADS": str(threads) for library in libraries}


def deadline(runtime_min: int | None) -> dict[str, str]:
    """JOB_DEADLINE, in seconds since 1970: when the time limit will end this job. Nothing where no limit is known."""
    if end := os.environ.get("SLURM_JOB_END_TIME"):
        return {"JOB_DEADLINE": end}
    if runtime_min is None:
        return {}
    start = float(os.environ.get("SLURM_JOB_START_TIME") or time.time())
    return {"JOB_DEADLINE": str(round(start + 60 * runtime_min))}

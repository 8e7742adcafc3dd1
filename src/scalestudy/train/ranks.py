"""Which rank this process is: told by torchrun or SLURM in the environment, or started here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from scalestudy.errors import StudyError

PORT_BASE, PORT_SPAN = 20_000, 10_000
"""Ports below the ephemeral range; the job's number and the step's choose one."""
STEPS_APART = 1009
"""How far the ports of two steps of a job are apart: prime, so that no step of a near-by job has the same."""


@dataclass(frozen=True)
class Rank:
    """One process of a run."""

    rank: int
    ranks: int
    init_method: str
    """Where the ranks meet, for torch.distributed."""
    one_machine: bool
    """Whether all ranks run here, simulated nodes included."""


def rank_from_environment(environment: Mapping[str, str]) -> Rank | None:
    """The rank that a launcher assigned to this process (torchrun's or SLURM's variables); None where there is none.

    Raises StudyError when the variables contradict each other.
    """
    if "RANK" in environment:
        rank, ranks = _place(environment, "RANK", "WORLD_SIZE")
        address, port = environment.get("MASTER_ADDR", "127.0.0.1"), environment.get("MASTER_PORT", "29500")
        local = _number(environment, "LOCAL_WORLD_SIZE") if "LOCAL_WORLD_SIZE" in environment else 0
        return Rank(rank, ranks, f"tcp://{address}:{port}", one_machine=local == ranks)
    if "SLURM_PROCID" in environment and "SLURM_STEP_ID" in environment:
        rank, ranks = _place(environment, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS")
        if ranks == 1:
            return None
        own = _number(environment, "SLURM_JOB_ID") + STEPS_APART * _number(environment, "SLURM_STEP_ID")
        slurm_port = PORT_BASE + own % PORT_SPAN
        address = environment.get("MASTER_ADDR") or _first_host(environment.get("SLURM_STEP_NODELIST", ""))
        nodes = _number(environment, "SLURM_STEP_NUM_NODES")
        return Rank(rank, ranks, f"tcp://{address}:{slurm_port}", one_machine=nodes == 1)
    return None


def launched(environment: Mapping[str, str]) -> bool:
    """Whether a launcher started this process: where it was killed or failed, it can be started again."""
    return "RANK" in environment or ("SLURM_PROCID" in environment and "SLURM_STEP_ID" in environment)


def leads(environment: Mapping[str, str]) -> bool:
    """Whether this process writes the result: the only one of its run, or rank 0. Raises as above."""
    assigned = rank_from_environment(environment)
    return assigned is None or assigned.rank == 0


def _place(environment: Mapping[str, str], rank_key: str, ranks_key: str) -> tuple[int, int]:
    rank, ranks = _number(environment, rank_key), _number(environment, ranks_key)
    if not 0 <= rank < ranks:
        raise StudyError(f"environment variable {rank_key}: found {rank}; must be from 0 to {ranks_key} ({ranks}) - 1")
    return rank, ranks


def _number(environment: Mapping[str, str], name: str) -> int:
    try:
        return int(environment[name])
    except (KeyError, ValueError) as error:
        found = environment.get(name, "nothing")
        raise StudyError(f"environment variable {name}: found {found!r}; must be a whole number") from error


def _first_host(nodelist: str) -> str:
    """The first host of a SLURM node list such as ``n[01-04,7],login`` or ``rack[1-2]n[01-16]``."""
    match = re.match(r"(?:[^\[\],\s]|\[\w[^\[\]]*\])+(?=,|$)", nodelist)
    if match is None:
        raise StudyError(f"SLURM node list {nodelist!r}: cannot be read; set MASTER_ADDR")
    return re.sub(r"\[(\w+)[^\]]*\]", r"\1", match[0])

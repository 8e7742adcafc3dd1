"""What the machine that plans has: GPUs counted through nvidia-smi, cores through the scheduler. No torch."""

import os
import re
import subprocess
from collections.abc import Mapping

from scalestudy.errors import StudyError
from scalestudy.spec.config import MachineSpec
from scalestudy.spec.layouts import Machine

__all__ = ["Machine", "count_gpus", "detect"]


def detect(spec: MachineSpec, source: str = "config.yaml") -> Machine:
    """The devices of this machine that a study may use. Raises StudyError for devices that do not exist."""
    cores = len(os.sched_getaffinity(0))
    gpus = count_gpus() if spec.device != "cpu" else 0
    if gpus:
        return Machine("cuda", gpus, cores)
    if spec.device == "cuda":
        raise StudyError(f"{source}: machine.device: found cuda, but no GPU is here; must be cpu or auto")
    if cores < spec.cores_per_device:
        raise StudyError(
            f"{source}: machine.cores_per_device: found {spec.cores_per_device}; must be at most {cores}, "
            "the cores of this machine"
        )
    return Machine("cpu", cores // spec.cores_per_device, cores)


def count_gpus() -> int:
    """NVIDIA GPUs that a CUDA program started here would see; 0 without a driver."""
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return 0
    return count_visible(listing.stdout, os.environ)


def count_visible(listing: str, environment: Mapping[str, str]) -> int:
    """GPUs in the output of ``nvidia-smi -L`` that CUDA_VISIBLE_DEVICES leaves visible.

    As CUDA does, entries count up to the first that names no GPU; an entry is an index or the start of a UUID.
    """
    ids = re.findall(r"\(UUID: ([^)]+)\)", listing)
    gpus = sum(line.startswith("GPU ") for line in listing.splitlines())
    if (chosen := environment.get("CUDA_VISIBLE_DEVICES")) is None:
        return gpus
    count = 0
    for entry in (part.strip() for part in chosen.split(",")):
        by_index = entry.isdecimal() and int(entry) < gpus
        by_id = entry.startswith(("GPU-", "MIG-")) and any(name.startswith(entry) for name in ids)
        if not (by_index or by_id):
            break
        count += 1
    return count

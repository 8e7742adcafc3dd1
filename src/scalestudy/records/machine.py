"""What the machine that plans has: GPUs counted through nvidia-smi, cores through the scheduler. No torch."""

import os
import re
import subprocess
from collections.abc import Mapping

from scalestudy.errors import StudyError
from scalestudy.spec.config import MachineSpec
from scalestudy.spec.layouts import Machine

__all__ = ["Machine", "count_gpus", "detect"]


def detect(spec: MachineSpec, elsewhere: bool = False, source: str = "config.yaml") -> Machine:
    """The devices that a study may use.

    ``elsewhere``: the runs go to other machines (a cluster), so that nothing can be counted here and the configuration
    is believed. Raises StudyError for GPUs that do not exist, and for what must be given since it cannot be counted.
    """
    cores = len(os.sched_getaffinity(0))
    if elsewhere:
        if spec.device == "auto" or spec.devices_per_node == "auto":
            key = "device" if spec.device == "auto" else "devices_per_node"
            raise StudyError(f"{source}: machine.{key}: found auto; must be given for runs on other machines")
        return Machine(spec.device, spec.nodes * spec.devices_per_node, cores)
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

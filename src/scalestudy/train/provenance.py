"""What a run records about where it ran."""

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import torch
import torch.distributed as dist

import scalestudy
from scalestudy.records.image import around
from scalestudy.records.prepared import Prepared
from scalestudy.records.provenance import Provenance
from scalestudy.records.result import Part
from scalestudy.records.source import commit_of
from scalestudy.train.context import Context

SLURM_KEYS = (
    *("SLURM_CLUSTER_NAME", "SLURM_JOB_PARTITION", "SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"),
    "SLURM_JOB_NODELIST",
)
INTERFACES = Path("/sys/class/net")


def collect(
    context: Context,
    prepared: Prepared,
    hosts: list[str],
    pinned: list[list[int]],
    malloc_tuned: bool,
    part: Part,
) -> Provenance:
    """Everything of this machine and this software, as rank 0 sees it, with the hosts and cores of all ranks."""
    gpus = [device for device in context.devices if device.type == "cuda"]
    found = {
        "hosts": sorted(set(hosts)),
        "cores": context.available,
        "accelerators": [torch.cuda.get_device_name(gpu) for gpu in gpus],
        "cuda": (torch.version.cuda or torch.version.hip or "") if gpus else "",
        "backend": dist.get_backend() if dist.is_initialized() else "",
        "threads_per_rank": torch.get_num_threads(),
        "pinned": pinned,
        "malloc_tuned": malloc_tuned,
        "data_sha256": prepared.sha256,
        "data_title": prepared.title,
        "data_synthetic": prepared.synthetic,
    }
    return here(part).model_copy(update=found)


def here(part: Part) -> Provenance:
    """What this process knows without training anything: machine, software, and the container around it."""
    return Provenance(
        hosts=[part.host],
        processor=processor(),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        os=_operating_system(),
        kernel=platform.release(),
        network=network(),
        python=platform.python_version(),
        torch=torch.__version__,
        version=scalestudy.__version__,
        commit=commit_of(Path(__file__)),
        **around(os.environ).model_dump(),
        started=part.started,
        slurm=part.slurm,
    )


def part_from(started: float) -> Part:
    """This start of a run, which began at a Unix time."""
    return Part(
        started=datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        time_s=0.0,
        host=platform.node(),
        slurm=slurm_variables(os.environ),
        image_digest=around(os.environ).image_digest,
    )


def slurm_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Cluster, partition, job, array task and nodes, where SLURM runs this process."""
    return {key: environment[key] for key in SLURM_KEYS if key in environment}


def processor() -> str:
    """The processor's name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def network(interfaces: Path = INTERFACES) -> list[str]:
    """The network interfaces that are up, with the speed of their link where the system knows it."""
    try:
        found = sorted(folder for folder in interfaces.iterdir() if folder.name != "lo")
    except OSError:
        return []
    return [_with_speed(folder) for folder in found if _said(folder / "operstate") == "up"]


def _with_speed(interface: Path) -> str:
    """``eth0 10000 Mbit/s``; virtual interfaces say -1, or refuse to say."""
    speed = _said(interface / "speed")
    return f"{interface.name} {speed} Mbit/s" if speed.isdecimal() and int(speed) > 0 else interface.name


def _said(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _operating_system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()

"""Checks of the partition that runs will be sent to, and of the limits there."""

import math
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from scalestudy.cli.doctor.finding import Finding, ok, wrong
from scalestudy.cli.requests import PARITY_MEMORY_MB, PARITY_RANKS, PROCESS_MEMORY_MB
from scalestudy.spec.config import ClusterSpec

TIMEOUT_S = 30
USABLE = re.compile(r"(idle|mixed|allocated|completing|planned|reserved|powering_up|powered_down|power_up)[~#!%^@+]?")
"""States of nodes that run jobs, or will without anybody's help; the sign tells of saving power. None with ``*``, which
does not answer."""
NO_FINDING = ok("partition", "")
UNLIMITED = ("infinite", "UNLIMITED", "NONE", "n/a")


@dataclass(frozen=True)
class Partition:
    """What sinfo says; of nodes that differ, the most that any usable one has, and so of several partitions."""

    name: str
    up: bool
    time_limit: str
    nodes: int
    """Those that can run a job, sooner or later."""
    cores: int
    memory_mb: int
    gpus: int

    @classmethod
    def merged(cls, name: str, lines: list[list[str]]) -> "Partition":
        """sinfo gives one line for each partition and kind of node; of several partitions those that are up count."""
        lines = [line for line in lines if line[1] == "up"] or lines
        usable = [line for line in lines if USABLE.fullmatch(line[7])]
        nodes = Counter[str]()
        for line in usable:
            nodes[line[0]] += int(line[3])
        return cls(
            name=name,
            up=lines[0][1] == "up",
            time_limit=max((line[2] for line in usable or lines), key=lambda limit: minutes_of(limit) or math.inf),
            nodes=max(nodes.values(), default=0),  # no job runs in two
            cores=max((_number(line[4]) for line in usable), default=0),
            memory_mb=max((_number(line[5]) for line in usable), default=0),
            gpus=max((gpus_of(line[6]) for line in usable), default=0),
        )


def gpus_of(gres: str) -> int:
    """GPUs of a node in SLURM's words, such as ``gpu:a100:4(S:0-1),nvme:1``."""
    return sum(int(count) for count in re.findall(r"\bgpu(?::[^:,(]+)?:(\d+)", gres))


def minutes_of(limit: str) -> float | None:
    """A time limit in SLURM's words (``DAYS-HOURS:MINUTES:SECONDS``, ``MINUTES:SECONDS``); None where there is none."""
    if limit in UNLIMITED:
        return None
    days, _, rest = limit.rpartition("-")
    parts = [float(part) for part in rest.split(":")]
    hours, minutes, seconds = [0.0] * (3 - len(parts)) + parts
    return 24 * 60 * float(days or 0) + 60 * hours + minutes + seconds / 60


def _number(text: str) -> int:
    found = re.match(r"\d+", text)
    return int(found[0]) if found else 0


def find_partition(name: str | None) -> tuple[Partition | None, Finding]:
    """The partition of this name, or those of these names, of which SLURM takes the first that has room, or the default
    one; or None and why there is none."""
    command = ["sinfo", "--all", "--noheader", "--format=%P|%a|%l|%D|%c|%m|%G|%T"]
    plain = {key: value for key, value in os.environ.items() if not key.startswith("SINFO_")}  # meant for a terminal
    try:
        listing = subprocess.run(
            command, env=plain, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", None) or ""
        lines = (told.decode(errors="replace") if isinstance(told, bytes) else told).strip().splitlines()
        said = lines[-1] if lines else str(error)
        late = f" within {TIMEOUT_S:g} s" if isinstance(error, subprocess.TimeoutExpired) else ""
        return None, wrong(
            "partition", f"sinfo does not answer{late} ({said}); ask the site's support whether SLURM is up"
        )
    rows = [line.split("|") for line in listing.splitlines() if line.count("|") == 7]
    there = list(dict.fromkeys(row[0].rstrip("*") for row in rows))
    names = ", ".join(there) or "none"
    name = name or next((row[0].rstrip("*") for row in rows if row[0].endswith("*")), None)
    if name is None:
        text = f"there is no default one; name one with --partition, and as slurm_partition in the profile: {names}"
        return None, wrong("partition", text)
    wanted = name.split(",")
    if unknown := [one for one in wanted if one not in there]:
        return None, wrong("partition", f"found {', '.join(unknown)}; must be one of {names}")
    return Partition.merged(name, [row for row in rows if row[0].rstrip("*") in wanted]), NO_FINDING


def check_partition(partition: Partition, spec: ClusterSpec) -> Iterator[Finding]:
    """Its limits, and whether they hold what the configuration describes."""
    gpus = f", {partition.gpus} GPUs" if partition.gpus else ""
    about = f"{partition.nodes} nodes with up to {partition.cores} cores, {partition.memory_mb} MB{gpus}"
    if not partition.up:
        yield wrong("partition", f"{partition.name} is not up; choose another with --partition, or wait")
    else:
        yield ok("partition", f"{partition.name}: {about}; time limit {partition.time_limit}")
    cores = spec.devices_per_node * spec.cores_per_device
    needs = [
        ("nodes", spec.nodes, partition.nodes, "nodes"),
        ("cores_per_device", cores, partition.cores, "cores of a node"),
    ]
    if partition.memory_mb > 1:  # else SLURM does not count it there
        parity_mb = PARITY_RANKS * PARITY_MEMORY_MB[spec.device][0]
        memory_mb = max(parity_mb, spec.devices_per_node * PROCESS_MEMORY_MB[spec.device])
        needs.append(("devices_per_node", memory_mb, partition.memory_mb, "MB of a node"))
    if spec.device == "cuda":
        needs.append(("devices_per_node", spec.devices_per_node, partition.gpus, "GPUs of a node"))
    for key, asked, there, unit in needs:
        if asked > there:
            yield wrong("configuration", f"cluster.{key}: comes to {asked} {unit}; {partition.name} has {there}")

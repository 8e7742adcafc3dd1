"""Checks that only a job can make: what the nodes see, have, and how they reach each other."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scalestudy.cli.doctor import on_node
from scalestudy.cli.doctor.finding import Finding, note, ok, wrong
from scalestudy.cli.doctor.partition import Partition
from scalestudy.container.engines import ENGINES
from scalestudy.spec.config import ClusterSpec
from submitit_ranks.slurm import of_this_job

CLOCK_TOLERANCE_S = 2.0
DELAY_S = 10.0
"""How late a node's word may arrive."""
SHARED_WITHIN_S = 30.0
"""How long a file of a node may take to be seen here."""
JOB_MINUTES = 2
GPUS = re.compile(r"--(gres|tres-per-node)(=.*gpu|$)|--gpus|-G")
"""How an option begins with which a job asks for GPUs."""


@dataclass
class Report:
    """What the nodes said; by rank, with the time at which the first word arrived."""

    facts: dict[int, dict[str, Any]] = field(default_factory=dict)
    errors: str = ""
    code: int = 0
    options: tuple[str, ...] = ()
    """What the job asked for beside nodes and partition."""

    @property
    def gpu_options(self) -> str:
        """How it asked for GPUs; empty where it did not."""
        values = ("", *self.options)  # that of an option may stand behind it
        pairs = zip(values, self.options, strict=False)
        return " ".join(
            word for before, word in pairs if GPUS.match(word) or (GPUS.match(before) and not word.startswith("-"))
        )

    def hosts(self) -> list[str]:
        """In the order of ranks."""
        return [str(facts["host"]) for _, facts in sorted(self.facts.items())]


def check_nodes(
    arguments: Namespace, partition: Partition, spec: ClusterSpec, engine: str, project: Path
) -> Iterator[Finding]:
    """Run a job of seconds on two nodes, or on one where there are no two."""
    nodes = min(2, spec.nodes, partition.nodes)
    try:
        place = tempfile.TemporaryDirectory(prefix=".scalestudy-doctor-", dir=project)
    except OSError as error:
        yield wrong(
            "shared folder", f"{project} cannot be written ({error.strerror}); work in a folder that all nodes share"
        )
        return
    with place as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "token").write_text("")
        report = run_job(arguments, partition, nodes, folder)
        if len(report.facts) < nodes or any("seen" not in facts for facts in report.facts.values()):
            yield wrong("job", why_not(report, arguments.wait))
            return
        yield ok("job", f"ran on {', '.join(report.hosts())}")
        yield shared_folder(report, folder, project)
        yield clocks(report)
        yield from equipment(report, spec, engine)
        if nodes > 1:
            yield network(report)


def run_job(arguments: Namespace, partition: Partition, nodes: int, folder: Path) -> Report:
    """Start on_node.py on the nodes and listen."""
    command = ["srun", f"--nodes={nodes}", "--ntasks-per-node=1", f"--time={JOB_MINUTES}", "--job-name=doctor"]
    command += [f"--partition={partition.name}", f"--immediate={arguments.wait}", "--kill-on-bad-exit=1"]
    command += [f"--account={arguments.account}"] if arguments.account else []
    command += [*arguments.options, sys.executable, str(Path(on_node.__file__).resolve()), str(folder)]
    around = of_this_job()
    environment = {name: value for name, value in os.environ.items() if name not in around}
    report = Report(options=tuple(arguments.options))
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as process:
            assert process.stdout is not None
            for line in process.stdout:
                try:
                    facts = json.loads(line)
                    report.facts.setdefault(facts["rank"], {"heard": time.time()}).update(facts)
                except (ValueError, TypeError, KeyError):
                    continue  # a message of the site's
        report.code = process.returncode
        errors.seek(0)
        report.errors = errors.read()
    return report


def why_not(report: Report, wait_s: int) -> str:
    """Why the job did not come to its end, and what to do."""
    said = [line.strip() for line in report.errors.splitlines() if line.strip()]
    reason = next((line for line in said if "error" in line.lower()), said[-1] if said else f"exit code {report.code}")
    if re.search("immediate|temporarily unavailable|nodes are busy", report.errors, re.IGNORECASE):
        return f"no nodes came free within {wait_s} s; try again later or with --wait"
    if "execve" in report.errors or "No such file" in report.errors:
        return f"the nodes cannot run {sys.executable}; install into a folder that they see ({reason})"
    if report.gpu_options and re.search("gres|configuration is not available", reason, re.IGNORECASE):
        return f"no node for {report.gpu_options} ({reason}); ask for GPUs as the site wants it: `gres` in the profile"
    return f"did not run; SLURM's reason: {reason}"


def shared_folder(report: Report, folder: Path, project: Path) -> Finding:
    """Whether the nodes see the files of here, and here those of the nodes."""
    blind = [str(facts["host"]) for facts in report.facts.values() if not facts["seen"]]
    if blind:
        return wrong("shared folder", f"{', '.join(blind)} cannot see {project}; work in a folder that all nodes share")
    end = time.monotonic() + SHARED_WITHIN_S
    waited = time.monotonic()
    while not all((folder / f"seen{rank}").exists() for rank in report.facts):
        if time.monotonic() > end:
            return wrong(
                "shared folder", f"what nodes write below {project} is not seen here within {end - waited:g} s"
            )
        time.sleep(0.2)
    late = time.monotonic() - waited
    return ok("shared folder", f"{project} is seen from all nodes" + (f", after {late:.0f} s" if late > 1 else ""))


def clocks(report: Report) -> Finding:
    """A node's word arrives after it was said, on a busy machine seconds after: a clock may only seem to be late."""
    apart = {str(facts["host"]): float(facts["time"]) - float(facts["heard"]) for facts in report.facts.values()}
    off = {host: by for host, by in apart.items() if not -DELAY_S - CLOCK_TOLERANCE_S <= by <= CLOCK_TOLERANCE_S}
    if off:
        host, most = max(off.items(), key=lambda item: abs(item[1]))
        return wrong(
            "clocks", f"{host} is {most:+.1f} s off from here; time limits are missed by as much: tell the site"
        )
    return ok("clocks", "none is seen to differ from the one here")


def equipment(report: Report, spec: ClusterSpec, engine: str) -> Iterator[Finding]:
    """GPUs, container engines and what training imports, on the nodes."""
    if spec.device == "cuda":
        yield gpus_of_nodes(report, spec.devices_per_node)
    if engine == "none":
        missing = sorted({str(name) for facts in report.facts.values() for name in facts["missing"]})
        if missing:
            what = f"{' and '.join(missing)} cannot be imported on the nodes"
            yield wrong("training", f"{what}; run `make install` in a folder that they see, or set container.engine")
        elif spec.device == "cuda" and (blind := torch_without_gpus(report, spec.devices_per_node)):
            yield wrong("training", blind)
        elif spec.device == "cuda" and (slow := torch_not_seen(report)):
            yield note("training", slow)
        else:
            yield ok("training", "torch and torchvision are installed where the nodes see them")
        return
    if not ENGINES[engine].files:
        yield wrong("container engine", f"{engine} keeps images in a store of each machine; the nodes need apptainer")
        return
    programs = set(ENGINES[engine].programs)
    lacking = [str(facts["host"]) for facts in report.facts.values() if not programs & set(facts["engines"])]
    if lacking:
        text = f"{', '.join(lacking)} has no {engine}; load its module before, and in slurm_setup of the profile"
        yield wrong("container engine", text)
    else:
        yield ok("container engine", f"{engine} is on the nodes")


def gpus_of_nodes(report: Report, wanted: int) -> Finding:
    """Whether the job has the GPUs that the study wants of each node."""
    host, facts = min(((facts["host"], facts) for facts in report.facts.values()), key=lambda one: one[1]["gpus"])
    if (gpus := int(facts["gpus"])) >= wanted:
        return ok("GPUs", f"{gpus} on each node, as asked for")
    asked = report.gpu_options
    text = f"{host} shows {gpus} (nvidia-smi -L) to a job with {asked}, and cluster.devices_per_node is {wanted}"
    return wrong("GPUs", f"{text}; name a partition with GPUs, and `gres` in the profile as the site wants it")


def torch_without_gpus(report: Report, wanted: int) -> str:
    """Which node's torch does not see the GPUs that the study wants there, and what to do; empty where all is well.

    ``nvidia-smi -L`` may show a job more than it was given; what it does not show is ``gpus_of_nodes``' to tell.
    """
    for facts in report.facts.values():
        if error := facts.get("torch_error"):
            return f"torch cannot be imported on {facts['host']} ({error}); install it anew, or set container.engine"
        there = min(int(facts["gpus"]), wanted)
        if (seen := int(facts.get("torch_gpus", there))) < there:
            text = f"torch sees {seen} of the {there} GPUs of {facts['host']} that are wanted"
            return f"{text}; install a build of torch for CUDA that the driver there knows, or set container.engine"
    return ""


def torch_not_seen(report: Report) -> str:
    """Which nodes have GPUs of which their torch said nothing; empty where there is none."""
    silent = [str(facts["host"]) for facts in report.facts.values() if facts["gpus"] and "torch_gpus" not in facts]
    text = f"torch is installed, and did not start on {', '.join(silent)} within {on_node.TORCH_S} s"
    return f"{text}: whether it sees the GPUs is not known" if silent else ""


def network(report: Report) -> Finding:
    """TCP between two nodes, on a port such as ranks meet on."""
    one, other = report.hosts()[:2]
    if problem := report.facts[1].get("network") or report.facts[0].get("network"):
        text = f"{other} cannot reach {one} ({problem}); a firewall? name the interface: docs/slurm.md"
        return wrong("network", text)
    if "mb_per_s" not in report.facts[1]:
        return wrong("network", f"{other} did not come to an end of talking to {one}")
    latency, speed = report.facts[1]["latency_us"], report.facts[1]["mb_per_s"]
    return ok("network", f"{one} to {other}: {latency:.0f} us, {speed:.0f} MB/s over TCP")

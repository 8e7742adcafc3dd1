"""All checks in order. Each says what it found as soon as it knows."""

import re
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from scalestudy.cli.doctor.finding import Finding, note, wrong
from scalestudy.cli.doctor.here import check_commands, check_engine, check_gpus, check_training, slurm_is_here
from scalestudy.cli.doctor.limits import asked_by, check_limits
from scalestudy.cli.doctor.nodes import GPUS, check_nodes
from scalestudy.cli.doctor.partition import check_partition, find_partition
from scalestudy.container.engines import chosen_engine
from scalestudy.errors import StudyError
from scalestudy.spec.config import ClusterSpec
from scalestudy.spec.reading import load_config
from submitit_ranks.options import sbatch_options

ASKED = ("slurm_partition", "slurm_account", "qos", "constraint", "reservation", "gres", "gpu_model")
"""Resources of a profile that say where its jobs run."""
SAME = {"qos": re.compile(r"--qos\b|-q"), "constraint": re.compile(r"--constraint\b|-C")}
SAME |= {"reservation": re.compile(r"--reservation\b"), "gres": GPUS, "gpus-per-node": GPUS}
"""How the command line may begin an option that takes the place of one of the profile's."""


def doctor(arguments: Namespace) -> int:
    """Print every finding; returns 1 when something is wrong."""
    all_well = True
    for finding in findings(arguments):
        print(finding, flush=True)
        all_well &= finding.state != "wrong"
    return 0 if all_well else 1


def findings(arguments: Namespace) -> Iterator[Finding]:
    """Of this machine; and of the cluster, where SLURM is here."""
    spec, engine = ClusterSpec(), "none"
    try:
        if arguments.config.exists():
            config = load_config(arguments.config)
            spec, engine = config.cluster, _engine(config.container.engine)
    except StudyError as error:
        yield wrong("configuration", str(error).splitlines()[0])
    yield from check_engine(engine)
    if not slurm_is_here():
        yield note("SLURM", "is not here; `snakemake --cores all` trains on this machine")
        yield from check_gpus()
        if engine == "none":
            yield from check_training()
        return
    commands = list(check_commands())
    yield from commands
    if any(finding.state == "wrong" for finding in commands):
        return
    as_the_profile(arguments, spec)
    partition, problem = find_partition(arguments.partition)
    if partition is None:
        yield problem
        return
    about = [*check_partition(partition, spec), *check_limits(partition, arguments.profile)]
    yield from about
    if any(finding.state == "wrong" for finding in about):
        yield note("job", "not tried; mend what is wrong above, then the nodes are looked at, too")
        return
    yield from check_nodes(arguments, partition, spec, engine, Path.cwd())


def as_the_profile(arguments: Namespace, spec: ClusterSpec) -> None:
    """What the command line leaves open as the executor makes it of the profile: so runs on all of a node will ask."""
    profile = asked_by(arguments.profile)
    asked = {name: profile[name] for name in ASKED if name in profile}
    options = sbatch_options("", asked | ({"gpu": spec.devices_per_node} if spec.device == "cuda" else {}))
    arguments.partition = arguments.partition or options.get("partition")
    arguments.account = arguments.account or options.get("account")
    given = list(arguments.options)
    for name, same in SAME.items():
        if name in options and not any(same.match(option) for option in given):
            arguments.options = [f"--{name}={options[name]}", *arguments.options]


def _engine(name: str) -> str:
    """The engine that runs will have; ``auto`` takes what is here."""
    if name != "auto":
        return name
    found = chosen_engine(name)
    return found.name if found else "none"

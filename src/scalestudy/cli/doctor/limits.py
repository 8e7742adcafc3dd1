"""Checks of what a site limits: how long a job may take, how many there may be."""

import getpass
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from scalestudy.cli.doctor.finding import Finding, note, wrong
from scalestudy.cli.doctor.partition import TIMEOUT_S, Partition, minutes_of


def runtimes(profile: Any) -> dict[str, float]:
    """Minutes that a profile asks for, by rule; those that Snakemake works out are left out.

    Raises AttributeError or TypeError where it is no profile.
    """
    asked = {"every rule": profile.get("default-resources") or []} | (profile.get("set-resources") or {})
    found = {}
    for rule, resources in asked.items():
        for name, value in _pairs(resources):
            if name == "runtime" and re.fullmatch(r"[\d.]+", str(value)):
                found[rule] = float(value)
    return found


def _pairs(resources: Any) -> Iterable[tuple[str, Any]]:
    return resources.items() if isinstance(resources, dict) else (one.partition("=")[::2] for one in resources)


def asked_by(folder: Path | None) -> dict[str, str]:
    """The resources that a profile asks for each run, in plain words; nothing where it cannot be read."""
    try:
        profile = yaml.safe_load(profile_file(folder).read_text()) or {}
        for_runs = (profile.get("set-resources") or {}).get("train") or {}
        pairs = [*_pairs(profile.get("default-resources") or []), *_pairs(for_runs)]
        return {name: str(value).strip("\"'") for name, value in pairs}
    except (OSError, ValueError, yaml.YAMLError, AttributeError, TypeError):
        return {}  # check_limits says so


def profile_file(folder: Path | None) -> Path:
    """Of a profile; none: the project's own one, which need not be there."""
    return (folder or Path("slurm")) / "config.yaml"


def check_limits(partition: Partition, folder: Path | None) -> Iterator[Finding]:
    """The profile's runtime against the partition's time limit; then how many jobs there may be."""
    limit = minutes_of(partition.time_limit)
    profile = profile_file(folder)
    asked = {}
    try:
        asked = runtimes(yaml.safe_load(profile.read_text()) or {})
    except FileNotFoundError:
        finding = wrong if folder else note
        yield finding("time limit", f"{profile}: no such profile of Snakemake, so no runtime of it was checked")
    except (OSError, ValueError, yaml.YAMLError, AttributeError, TypeError):
        yield wrong("time limit", f"{profile}: cannot be read as a profile of Snakemake")
    for rule, minutes in asked.items():
        if limit is not None and minutes > limit:
            text = f"{profile}: runtime of {rule}: found {minutes:g} minutes; {partition.name} allows {limit:g}"
            yield wrong("time limit", f"{text}, and such jobs never start")
    array = re.search(r"MaxArraySize\s*=\s*(\d+)", _said("scontrol", "show", "config"))
    user = getpass.getuser()
    rows = _said("sacctmgr", "--noheader", "--parsable2", "show", "assoc", f"user={user}", "format=MaxSubmitJobs")
    submit = [int(row) for row in rows.split() if row.isdigit()]
    said = [f"arrays of up to {array[1]} jobs"] if array else []
    said += [f"{min(submit)} jobs of {user} at once"] if submit else []
    if said:
        yield note("jobs", f"the site allows {' and '.join(said)}; more are submitted in parts, or wait")


def _said(*command: str) -> str:
    """What a command prints; nothing where it fails, as sacctmgr does on sites without accounting."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout

"""The profile `slurm` and the examples of sites: what each asks SLURM for, in the words of the script it submits."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from test_workflow import CONFIG, ROOT

STRATEGIES = ["serial", {"name": "ddp", "layouts": ["2x2"]}, {"name": "hybrid", "layouts": ["2x2"]}]
# Keeps what it is given to submit, and refuses it for good: the nodes of these sites are not here.
SBATCH = '#!/bin/sh\nfor file; do :; done\ncat "$file" >> "$0.log"; echo "sbatch: error: invalid" >&2; exit 1\n'
SITES = {
    "slurm": ({}, ["--exclusive", "--nodes=2"], ["--gpus-per-node", "--gres"]),
    "slurm/sites/gpu-gres": ({"device": "cuda"}, ["--gres=gpu:a100:2", "--account=my_project"], ["--gpus-per-node"]),
    "slurm/sites/gpu-per-node": ({"device": "cuda"}, ["--gpus-per-node=2", "--exclusive"], ["--gres"]),
    "slurm/sites/no-accounting": ({}, ["--partition=compute", "--exclusive"], ["--account", "--gres"]),
}
"""By profile: its nodes, what the script of a run on 2 x 2 devices holds, and what no script holds."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "Snakefile", tmp_path)
    for part in ("workflow", "slurm"):
        shutil.copytree(ROOT / part, tmp_path / part)
    return tmp_path


def write(folder: Path, **cluster: object) -> None:
    study = {"workloads": ["net"], "strategies": STRATEGIES, "seeds": [1]}
    (folder / "config.yaml").write_text(
        yaml.safe_dump(CONFIG | {"cluster": {"cores_per_device": 3} | cluster, "studies": {"tiny": study}})
    )


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE")}
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=folder,
        env=environment | {"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_every_site_is_tested() -> None:
    assert {"slurm"} | {f"slurm/sites/{path.name}" for path in (ROOT / "slurm/sites").iterdir()} == set(SITES)


@pytest.mark.parametrize("profile", SITES)
def test_a_profile_plans_for_the_cluster_and_asks_for_what_its_site_understands(profile: str, folder: Path) -> None:
    cluster, present, absent = SITES[profile]
    write(folder, **cluster)
    (folder / "sbatch").write_text(SBATCH)
    (folder / "sbatch").chmod(0o755)
    for name in ("srun", "squeue", "scancel"):  # as where SLURM is installed
        (folder / name).symlink_to("/bin/true")
    planned = snakemake(folder, "--profile", profile, "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "runs/net/epoch/ddp-2x2/seed1/result.json" in planned.stdout + planned.stderr
    data = next(
        part.split("output: ")[1].split()[0]
        for part in (planned.stdout + planned.stderr).split("rule ")
        if part.startswith("data:")
    )
    (folder / data).parent.mkdir(parents=True)
    (folder / data).touch()
    target = "results/tiny/runs/net/epoch/ddp-2x2/seed1/result.json"
    done = snakemake(folder, "--profile", profile, "--retries", "0", "--", target)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    script = (folder / "sbatch.log").read_text()
    for option in (*present, "--ntasks-per-node=2", "--cpus-per-task=3"):
        assert f"#SBATCH {option}\n" in script, script
    for option in absent:
        assert option not in script


def test_without_the_profile_the_same_study_is_planned_for_this_machine(folder: Path) -> None:
    write(folder)
    plans = {}
    for place, arguments in {"here": ["--cores", "2"], "cluster": ["--profile", "slurm"]}.items():
        done = snakemake(folder, *arguments, "--dry-run", "--quiet", "rules")
        assert done.returncode == 0, done.stderr
        made = snakemake(folder, *arguments, "--", "results/tiny/study.json")
        assert made.returncode == 0, made.stderr
        plans[place] = (folder / "results/tiny/study.json").read_text()
    assert '"cluster": false' in plans["here"]
    assert '"cluster": true' in plans["cluster"]


def test_the_command_of_every_job_takes_the_place_of_its_shell_which_would_not_pass_on_a_signal() -> None:
    """A shell that waits for its child ends at once on SIGTERM, and what it ran goes on."""
    texts = [path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk")]
    rules = [rule for text in texts for rule in re.split(r"^ *(?:rule|checkpoint) ", text, flags=re.MULTILINE)[1:]]
    sent = {rule.split(":")[0]: rule for rule in rules if "localrule: True" not in rule}
    assert sent.keys() == {"train", "parity", "probe", "data"}
    for rule in sent.values():
        assert re.search(r"shell:\s+\"exec \{params\.inside\} ", rule), rule

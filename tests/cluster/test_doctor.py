"""`scalestudy doctor` on a real SLURM cluster."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from quick_study import quick

DOCTOR = [sys.executable, "-m", "scalestudy", "doctor"]


def doctor(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | variables
    return subprocess.run(
        [*DOCTOR, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_cluster_that_is_well_is_ok_in_every_line(tmp_path: Path) -> None:
    done = doctor(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    checks = [line.split()[1].rstrip(":") for line in done.stdout.splitlines() if line.startswith("ok")]
    for check in ("commands", "partition", "job", "shared", "clocks", "training", "network"):
        assert check in checks, done.stdout
    assert "note   jobs: the site allows arrays of up to 1001 jobs" in done.stdout
    assert "wrong" not in done.stdout
    assert not list(tmp_path.iterdir())


def test_a_partition_that_does_not_exist_is_wrong_and_the_others_are_named(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--partition", "gold")
    assert done.returncode == 1
    assert "wrong  partition: found gold; must be one of " in done.stdout


def test_a_runtime_that_the_partition_does_not_allow_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "slurm").mkdir()
    (tmp_path / "slurm/config.yaml").write_text("default-resources: [runtime=121]\n")
    done = doctor(tmp_path)
    assert done.returncode == 1
    assert "runtime of every rule: found 121 minutes; main allows 120" in done.stdout
    assert "note   job: not tried; mend what is wrong above" in done.stdout


def test_the_partition_and_the_options_are_those_of_the_profile(tmp_path: Path) -> None:
    (tmp_path / "slurm").mkdir()
    profile = tmp_path / "slurm/config.yaml"
    profile.write_text("default-resources: [slurm_partition=gold]\n")
    assert "wrong  partition: found gold; must be one of " in doctor(tmp_path).stdout
    assert "ok     partition: main" in doctor(tmp_path, "--partition", "main").stdout
    profile.write_text("default-resources: {constraint: \"'unobtainium'\"}\n")
    assert "wrong  job: did not run; SLURM's reason: srun: error: " in doctor(tmp_path).stdout


def test_an_option_that_slurm_refuses_is_told_in_its_own_words(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--", "--constraint=unobtainium")
    assert done.returncode == 1
    assert "wrong  job: did not run; SLURM's reason: srun: error: " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_folder_that_the_nodes_do_not_see_is_wrong(tmp_path: Path) -> None:
    script = 'mount -t tmpfs tmpfs "$0" && cd "$0" && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, str(tmp_path), *DOCTOR]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert f"cannot see {tmp_path}; work in a folder that all nodes share" in done.stdout


# Nodes of the test cluster have GPUs in name only: these show as many as SLURM says that the job was given.
NVIDIA_SMI = '#!/bin/sh\nfor gpu in $(seq 0 $((SLURM_GPUS_ON_NODE - 1))); do echo "GPU $gpu: one in name only"; done\n'
TORCH = "class cuda:\n    device_count = staticmethod(lambda: {gpus})\n"


def gpu_place(folder: Path, gres: str, torch_gpus: int = 1) -> dict[str, str]:
    """A configuration with one GPU a node, a profile, and the variables of an environment with a driver and torch."""
    study = quick() | {"cluster": {"nodes": 2, "device": "cuda", "devices_per_node": 1}}
    (folder / "config.yaml").write_text(yaml.safe_dump(study))
    (folder / "slurm").mkdir()
    (folder / "slurm/config.yaml").write_text(f"default-resources: [runtime=60{gres}]\n")
    (folder / "bin").mkdir()
    (folder / "bin/nvidia-smi").write_text(NVIDIA_SMI)
    (folder / "bin/nvidia-smi").chmod(0o755)
    (folder / "torch.py").write_text(TORCH.format(gpus=torch_gpus))
    python_path = f"{folder}:{os.environ.get('PYTHONPATH', '')}"
    return {"PATH": f"{folder}/bin:{os.environ['PATH']}", "PYTHONPATH": python_path}


@pytest.mark.parametrize("gres", ["", ", \"gres='gpu:{gpu}'\""])
def test_gpus_are_asked_for_as_runs_would_ask_for_them(gres: str, tmp_path: Path) -> None:
    done = doctor(tmp_path, **gpu_place(tmp_path, gres))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok     GPUs: 1 on each node, as asked for" in done.stdout
    assert "ok     training: torch and torchvision are installed" in done.stdout


def test_gpus_that_slurm_or_the_nodes_or_torch_do_not_know_are_wrong(tmp_path: Path) -> None:
    place = gpu_place(tmp_path, ", \"gres='gpu:h100:{gpu}'\"", torch_gpus=0)
    unknown = doctor(tmp_path, **place)
    assert unknown.returncode == 1
    assert "wrong  job: no node for --gres=gpu:h100:1 (srun: error: " in unknown.stdout
    blind = doctor(tmp_path, "--", "--gres=gpu:1", **place)
    assert blind.returncode == 1
    assert "wrong  training: torch sees 0 of the 1 GPUs of n" in blind.stdout
    (tmp_path / "bin/nvidia-smi").unlink()
    none = doctor(tmp_path, "--", "--gres=gpu:1", **place)
    assert "shows 0 (nvidia-smi -L) to a job with --gres=gpu:1, and cluster.devices_per_node is 1; " in none.stdout
    assert "Traceback" not in unknown.stdout + blind.stdout + none.stdout

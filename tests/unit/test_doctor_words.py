"""The doctor where there is no cluster, and what it makes of SLURM's words. On a real cluster: tests/cluster."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scalestudy.cli.doctor.nodes import Report, clocks, equipment, network, why_not
from scalestudy.cli.doctor.partition import Partition, check_partition, gpus_of
from scalestudy.spec.config import ClusterSpec


def doctor(folder: Path, path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scalestudy", "doctor", *arguments]
    environment = os.environ | {"PATH": path}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)


def partition(**changes: object) -> Partition:
    known = {"up": True, "time_limit": "1:00:00", "nodes": 4, "cores": 8, "memory_mb": 16000, "gpus": 0}
    return Partition(name="main", default=True, **(known | changes))  # type: ignore[arg-type]


def two_nodes(**changes: object) -> Report:
    facts = {"heard": 100.0, "time": 99.9, "seen": True, "gpus": 0, "engines": ["apptainer"], "missing": []}
    both = {rank: facts | {"host": f"n{rank + 1}"} for rank in range(2)}
    both[1] |= {"latency_us": 12.0, "mb_per_s": 1000.0} | changes
    return Report(both)


def test_without_slurm_it_says_so_and_how_to_train_here(tmp_path: Path) -> None:
    done = doctor(tmp_path, str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "note   SLURM: is not here; `snakemake --cores all` trains on this machine\n" in done.stdout
    assert "ok     training: torch and torchvision are installed\n" in done.stdout


def test_half_a_slurm_is_wrong_and_each_missing_command_is_named(tmp_path: Path) -> None:
    (tmp_path / "squeue").symlink_to("/bin/true")
    done = doctor(tmp_path, str(tmp_path))
    assert done.returncode == 1
    assert [line.split(" is not found")[0] for line in done.stdout.splitlines() if line.startswith("wrong")] == [
        "wrong  commands: sbatch",
        "wrong  commands: scancel",
        "wrong  commands: srun",
    ]


def test_a_slurm_that_does_not_answer_is_named_with_its_own_reason(tmp_path: Path) -> None:
    for name in ("sbatch", "squeue", "scancel", "srun"):
        (tmp_path / name).symlink_to("/bin/true")
    (tmp_path / "sinfo").write_text("#!/bin/sh\necho 'slurm_load: Unable to contact it' >&2; exit 1\n")
    (tmp_path / "sinfo").chmod(0o755)
    done = doctor(tmp_path, str(tmp_path))
    assert done.returncode == 1
    assert "wrong  partition: sinfo does not answer (slurm_load: Unable to contact it)" in done.stdout
    assert done.stderr == ""


def test_a_wrong_configuration_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("studies: 3\n")
    done = doctor(tmp_path, str(tmp_path))
    assert done.returncode == 1
    assert done.stdout.startswith("wrong  configuration: config.yaml: ")


@pytest.mark.parametrize(
    ("gres", "count"),
    [
        ("(null)", 0),
        ("gpu:4", 4),
        ("gpu:a100:4(S:0-1)", 4),
        ("gpu:a100_1g.5gb:7,nvme:1", 7),
        ("gpu:v100:2,gpu:a100:2", 4),
        ("nvme:1", 0),
    ],
)
def test_gpus_of_a_node_are_read_from_slurms_words(gres: str, count: int) -> None:
    assert gpus_of(gres) == count


@pytest.mark.parametrize(
    ("spec", "changes", "said"),
    [
        ({"nodes": 8}, {}, "cluster.nodes: comes to 8 nodes; main has 4"),
        ({"devices_per_node": 4, "cores_per_device": 4}, {}, "cluster.cores_per_device: comes to 16 cores of a node"),
        ({"device": "cuda"}, {}, "cluster.devices_per_node: comes to 2 GPUs of a node; main has 0"),
        ({}, {"memory_mb": 3000}, "cluster.devices_per_node: comes to 8000 MB of a node; main has 3000"),
        ({}, {"up": False}, "main is not up"),
    ],
)
def test_what_the_partition_cannot_give_is_named_with_its_key(spec: dict, changes: dict, said: str) -> None:
    found = [finding for finding in check_partition(partition(**changes), ClusterSpec(**spec)) if finding.state != "ok"]
    assert [finding.state for finding in found] == ["wrong"]
    assert said in found[0].text


def test_a_partition_that_has_what_is_described_is_one_ok() -> None:
    assert [finding.state for finding in check_partition(partition(), ClusterSpec())] == ["ok"]


def test_a_clock_that_differs_is_told_with_its_node() -> None:
    assert clocks(two_nodes()).state == "ok"
    wrong = clocks(two_nodes(time=40.0))
    assert wrong.state == "wrong"
    assert "n2 is -60.0 s off from here" in wrong.text


def test_nodes_without_torch_are_wrong_unless_runs_are_in_a_container() -> None:
    bare = two_nodes(missing=["torch"])
    (found,) = equipment(bare, ClusterSpec(), "none")
    assert (found.what, found.state) == ("training", "wrong")
    (found,) = equipment(bare, ClusterSpec(), "apptainer")
    assert (found.what, found.state) == ("container engine", "ok")


def test_a_node_without_the_container_engine_of_the_study_is_named() -> None:
    (found,) = equipment(two_nodes(engines=["podman"]), ClusterSpec(), "apptainer")
    assert found.state == "wrong"
    assert found.text.startswith("n2 has no apptainer")


def test_an_engine_whose_images_the_nodes_cannot_have_is_wrong_even_where_they_have_it() -> None:
    (found,) = equipment(two_nodes(engines=["podman"]), ClusterSpec(), "podman")
    assert (found.what, found.state) == ("container engine", "wrong")
    assert "the nodes need apptainer" in found.text


def test_gpu_studies_need_gpus_in_the_job() -> None:
    found = next(equipment(two_nodes(), ClusterSpec(device="cuda"), "none"))
    assert (found.what, found.state) == ("GPUs", "wrong")


def test_a_blocked_port_is_told_with_both_nodes() -> None:
    assert network(two_nodes()).state == "ok"
    blocked = network(two_nodes(network="TimeoutError: timed out"))
    assert blocked.state == "wrong"
    assert blocked.text.startswith("n2 cannot reach n1 (TimeoutError: timed out)")


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        (
            "srun: error: Unable to allocate: Resource temporarily unavailable\n",
            "no nodes came free within 9 s",
        ),
        ("srun: error: Invalid account or account/partition\n", "SLURM's reason: srun: error: Invalid account"),
        ("slurmstepd: error: execve(): /x/python: No such file or directory\n", "the nodes cannot run"),
        ("", "SLURM's reason: exit code 1"),
    ],
)
def test_a_job_that_did_not_run_says_why(errors: str, said: str) -> None:
    assert said in why_not(Report(errors=errors, code=1), wait_s=9)

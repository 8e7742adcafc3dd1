"""What a run records of where it ran."""

from pathlib import Path

from scalestudy.train.provenance import network, slurm_variables


def interface(folder: Path, name: str, **said: str) -> None:
    (folder / name).mkdir()
    for key, text in said.items():
        (folder / name / key).write_text(f"{text}\n")


def test_interfaces_that_are_up_are_named_with_the_speed_of_their_link(tmp_path: Path) -> None:
    interface(tmp_path, "lo", operstate="up", speed="10000")
    interface(tmp_path, "ib0", operstate="up", speed="200000")
    interface(tmp_path, "eth0", operstate="up", speed="10000")
    interface(tmp_path, "eth1", operstate="down", speed="10000")
    interface(tmp_path, "virtual0", operstate="up", speed="-1")
    interface(tmp_path, "tunnel0", operstate="up")
    assert network(tmp_path) == ["eth0 10000 Mbit/s", "ib0 200000 Mbit/s", "tunnel0", "virtual0"]


def test_interfaces_are_empty_where_the_system_does_not_list_them(tmp_path: Path) -> None:
    assert network(tmp_path / "none") == []


def test_the_cluster_and_the_job_are_recorded_and_other_variables_are_not() -> None:
    job = {"SLURM_CLUSTER_NAME": "mogon", "SLURM_JOB_PARTITION": "smp", "SLURM_JOB_ID": "17"}
    assert slurm_variables(job | {"SLURM_JOB_USER": "me", "HOME": "/home/me"}) == job

"""The doctor where there is no cluster, and what it makes of SLURM's words. On a real cluster: tests/cluster."""

import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest
import yaml

from scalestudy.cli.doctor.examine import as_the_profile
from scalestudy.cli.doctor.limits import check_limits
from scalestudy.cli.doctor.nodes import Report, check_nodes, clocks, equipment, network, why_not
from scalestudy.cli.doctor.partition import Partition, check_partition, find_partition, gpus_of, minutes_of
from scalestudy.spec.config import ClusterSpec


def doctor(folder: Path, path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scalestudy", "doctor", *arguments]
    environment = os.environ | {"PATH": path}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)


def partition(**changes: object) -> Partition:
    known = {"up": True, "time_limit": "1:00:00", "nodes": 4, "cores": 8, "memory_mb": 16000, "gpus": 0}
    return Partition(name="main", **(known | changes))  # type: ignore[arg-type]


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


def test_a_sinfo_that_fails_without_a_word_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sinfo").write_text("#!/bin/sh\necho >&2\nexit 1\n")
    (tmp_path / "sinfo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    _, finding = find_partition(None)
    assert "sinfo does not answer (" in finding.text
    assert "returned non-zero exit status 1" in finding.text


def test_a_folder_that_cannot_be_written_is_one_line() -> None:
    (finding,) = check_nodes(Namespace(), partition(), ClusterSpec(nodes=2, devices_per_node=1), "none", Path("/proc"))
    assert finding.text.startswith("/proc cannot be written (")


def test_a_slurm_that_does_not_answer_is_named_with_its_own_reason(tmp_path: Path) -> None:
    for name in ("sbatch", "squeue", "scancel", "srun"):
        (tmp_path / name).symlink_to("/bin/true")
    (tmp_path / "bash").symlink_to("/bin/bash")  # which Snakemake, when it is imported, would miss
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


SINFO = (
    "main*|up|2:00:00|2|8|16000|gpu:a100:2(S:0)|idle\n"
    "main*|up|2:00:00|1|16|32000|gpu:a100:4|mixed\n"
    "main*|up|2:00:00|3|64|99000|gpu:h100:8|drained\n"
    "main*|up|2:00:00|1|64|99000|gpu:h100:8|idle*\n"
    "main*|up|2:00:00|1|8|16000|(null)|idle~\n"
    "old|up|infinite|2|4|8000|(null)|down*\n"
    "also|up|1-00:00:00|3|8|16000|(null)|idle\n"
    "closed|inact|infinite|9|64|99000|(null)|idle\n"
)


def test_only_nodes_that_can_run_a_job_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sinfo").write_text(f"#!/bin/sh\nenv | grep -q SINFO_ && exit 1\ncat <<'END'\n{SINFO}END\n")
    (tmp_path / "sinfo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("SINFO_PARTITION", "old")
    main, _ = find_partition(None)
    assert main is not None
    assert (main.nodes, main.cores, main.memory_mb, main.gpus) == (4, 16, 32000, 4)
    old, _ = find_partition("old")
    assert old is not None
    assert old.nodes == 0
    assert [finding.state for finding in check_partition(old, ClusterSpec(nodes=1))][1] == "wrong"
    several, _ = find_partition("old,main,also,closed")
    assert several is not None
    assert (several.nodes, several.cores, several.time_limit) == (4, 16, "1-00:00:00")  # no job runs in two
    assert several.name == "old,main,also,closed"
    none, finding = find_partition("main,new")
    assert none is None
    assert finding.text == "found new; must be one of main, old, also, closed"


@pytest.mark.parametrize(
    ("limit", "minutes"),
    [("infinite", None), ("30:00", 30), ("2:00:00", 120), ("1-00:00:00", 1440), ("3-12:30:30", 5070.5)],
)
def test_time_limits_are_read_from_slurms_words(limit: str, minutes: float | None) -> None:
    assert minutes_of(limit) == minutes


def test_a_runtime_above_the_partitions_time_limit_is_named_with_its_rule(tmp_path: Path) -> None:
    profile = tmp_path / "config.yaml"
    profile.write_text(
        "default-resources: [disk_mb=0, runtime=60]\n"
        "set-resources: {train: {runtime: 240, mem_mb: 1}, probe: {runtime: attempt * 600}}\n"
    )
    found = [one.text for one in check_limits(partition(time_limit="2:00:00"), tmp_path) if one.state == "wrong"]
    assert len(found) == 1
    assert "runtime of train: found 240 minutes; main allows 120" in found[0]
    assert not [one for one in check_limits(partition(time_limit="infinite"), tmp_path) if one.state == "wrong"]


@pytest.mark.parametrize("text", ["[", "3", "default-resources: 3", "set-resources: [train:runtime=3]", "\x00"])
def test_a_profile_that_is_none_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    (found,) = (one for one in check_limits(partition(), tmp_path) if one.state == "wrong")
    assert found.text == f"{tmp_path}/config.yaml: cannot be read as a profile of Snakemake"


def test_only_a_profile_that_was_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    missing = "config.yaml: no such profile of Snakemake, so no runtime of it was checked"
    for folder, state in ((None, "note"), (tmp_path / "gold", "wrong")):
        (found,) = (one for one in check_limits(partition(), folder) if one.what == "time limit")
        assert (found.state, found.text) == (state, f"{folder or 'slurm'}/{missing}")


def test_how_many_jobs_there_may_be_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = {"scontrol": "MaxArraySize            = 1001", "sacctmgr": "\n500\n200"}
    for name, text in words.items():
        (tmp_path / name).write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "config.yaml").write_text("jobs: 5")
    (found,) = check_limits(partition(), tmp_path)
    assert found.state == "note"
    assert found.text.startswith("the site allows arrays of up to 1001 jobs and 200 jobs of ")


def test_a_clock_that_differs_is_told_with_its_node() -> None:
    assert clocks(two_nodes()).state == "ok"
    wrong = clocks(two_nodes(time=40.0))
    assert wrong.state == "wrong"
    assert "n2 is -60.0 s off from here" in wrong.text


def test_a_word_that_arrives_seconds_late_is_no_proof_of_a_slow_clock_but_one_from_the_future_is_of_a_fast_one() -> (
    None
):
    assert clocks(two_nodes(time=95.0)).state == "ok"
    assert clocks(two_nodes(time=105.0)).state == "wrong"
    both = two_nodes(time=105.0)
    next(iter(both.facts.values()))["time"] = 89.0  # further off, and said late perhaps
    assert clocks(both).state == "wrong"


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


@pytest.mark.parametrize(("gpus", "state"), [(0, "wrong"), (3, "wrong"), (4, "ok"), (8, "ok")])
def test_gpu_studies_need_as_many_gpus_in_the_job_as_a_node_has_devices(gpus: int, state: str) -> None:
    report = two_nodes(gpus=gpus)
    report.facts[0]["gpus"] = 8
    report.options = ("--gres=gpu:4",)
    found = next(equipment(report, ClusterSpec(device="cuda", devices_per_node=4), "none"))
    assert (found.what, found.state) == ("GPUs", state)
    if state == "wrong":
        said = f"n2 shows {gpus} (nvidia-smi -L) to a job with --gres=gpu:4, and cluster.devices_per_node is 4; "
        assert found.text.startswith(said)


@pytest.mark.parametrize(
    ("gpus", "seen", "state"), [(2, 0, "wrong"), (2, 1, "wrong"), (2, 2, "ok"), (8, 2, "ok"), (8, 1, "wrong")]
)
def test_gpus_that_torch_does_not_see_are_told_with_their_node(gpus: int, seen: int, state: str) -> None:
    report = two_nodes(gpus=gpus, torch_gpus=seen)
    _, training = equipment(report, ClusterSpec(device="cuda", devices_per_node=2), "none")
    assert training.state == state
    assert (f"torch sees {seen} of the 2 GPUs of n2 that are wanted; " in training.text) == (state == "wrong")


def test_a_torch_that_took_too_long_to_tell_its_gpus_is_called_neither_wrong_nor_right() -> None:
    _, training = equipment(two_nodes(gpus=2), ClusterSpec(device="cuda", devices_per_node=2), "none")
    assert training.state == "note"
    assert "did not start on n2 within 60 s: whether it sees the GPUs is not known" in training.text


def test_a_torch_that_cannot_be_imported_is_wrong_with_its_reason() -> None:
    report = two_nodes(gpus=2, torch_error="ImportError: no libcudart")
    _, training = equipment(report, ClusterSpec(device="cuda", devices_per_node=2), "none")
    assert training.state == "wrong"
    assert training.text.startswith("torch cannot be imported on n2 (ImportError: no libcudart); install it anew")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--gres=gpu:4"], "--gres=gpu:4"),
        (["--qos=x", "-G", "2", "--nice"], "-G 2"),
        (["--gres", "gpu:2", "-C", "big"], "--gres gpu:2"),
        (["-G2"], "-G2"),
        (["--tres-per-node=gres/gpu:2"], "--tres-per-node=gres/gpu:2"),
        (["-C", "gpu"], ""),
        (["--gres-flags=enforce-binding", "--gres=nvme:1", "--tres-bind=none"], ""),
    ],
)
def test_how_a_job_asked_for_gpus_is_told_with_its_value(options: list[str], said: str) -> None:
    assert Report(options=tuple(options)).gpu_options == said


@pytest.mark.parametrize(
    ("gres", "device", "given", "options"),
    [
        ("gres='gpu:a100:{gpu}'", "cuda", [], ["--gres=gpu:a100:4", "--constraint=big"]),
        ("gres='gpu:a100:{gpu}'", "cpu", [], ["--constraint=big"]),
        ("gpu_model='a100'", "cuda", [], ["--gpus-per-node=a100:4", "--constraint=big"]),
        ("qos='normal'", "cuda", ["--gres=gpu:1"], ["--constraint=big", "--qos=normal", "--gres=gpu:1"]),
        ("qos='normal'", "cuda", ["--qos", "x"], ["--gpus-per-node=4", "--constraint=big", "--qos", "x"]),
        ("qos='normal'", "cuda", ["-qx", "-G", "2"], ["--constraint=big", "-qx", "-G", "2"]),
        ("qos='normal'", "cuda", ["-C", "new"], ["--gpus-per-node=4", "--qos=normal", "-C", "new"]),
    ],
)
def test_the_doctors_job_asks_for_what_the_runs_of_the_profile_would_ask_for(
    gres: str, device: str, given: list[str], options: list[str], tmp_path: Path
) -> None:
    profile = {
        "default-resources": ["slurm_partition='gpu'", "slurm_account='a'", gres, "runtime=60"],
        "set-resources": {"train": {"constraint": "'big'"}, "data": {"slurm_partition": "'cpu'"}},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(profile))
    arguments = Namespace(profile=tmp_path, partition=None, account=None, options=given)
    as_the_profile(arguments, ClusterSpec(device=device, devices_per_node=4))
    assert (arguments.partition, arguments.account, arguments.options) == ("gpu", "a", options)


def test_a_sinfo_that_never_answers_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sinfo").write_text(
        "#!/bin/sh\necho 'sinfo: error: cannot stat caf\u00e9.conf, retrying' >&2\nexec sleep 60\n"
    )
    (tmp_path / "sinfo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("scalestudy.cli.doctor.partition.TIMEOUT_S", 0.5)
    found, finding = find_partition(None)
    assert found is None
    assert "does not answer within 0.5 s (sinfo: error: cannot stat caf\u00e9.conf, retrying);" in finding.text


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
        ("srun: error: Unable to allocate resources: Requested nodes are busy\n", "no nodes came free within 9 s"),
        ("srun: error: Invalid account or account/partition\n", "SLURM's reason: srun: error: Invalid account"),
        ("slurmstepd: error: execve(): /x/python: No such file or directory\n", "the nodes cannot run"),
        ("", "SLURM's reason: exit code 1"),
    ],
)
def test_a_job_that_did_not_run_says_why(errors: str, said: str) -> None:
    assert said in why_not(Report(errors=errors, code=1), wait_s=9)


@pytest.mark.parametrize(
    "errors",
    [
        "srun: error: Invalid generic resource (gres) specification",
        "srun: error: Requested node configuration is not available",
    ],
)
def test_a_job_for_which_no_node_has_gpus_says_how_it_asked_for_them(errors: str) -> None:
    said = why_not(Report(errors=errors, code=1, options=("--gpus-per-node=4", "--qos=x")), wait_s=9)
    assert said.startswith(f"no node for --gpus-per-node=4 ({errors}); ask for GPUs as the site wants it")
    assert "GPUs" not in why_not(Report(errors=errors, code=1, options=("--qos=x",)), wait_s=9)

"""What is read of squeue and sacct, and what sbatch and scancel see."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from submitit_ranks.ending import JobState
from submitit_ranks.errors import NotSubmitted
from submitit_ranks.rank import Task
from submitit_ranks.slurm import Slurm, _exit, of_this_job

ROWS = (
    b"7_0|RUNNING|0|n1||main|/home/me/.snakemake/submitit/7_0_0_log.out|\n"
    b"8|RUNNING|0|n1||main|/home/me/a|b|c/%j.out|\n"
    b"9|PENDING|0||Priority|main,old|/home/me/caf\xe9/\x1c9.out|\n"
    b"slurm_load_jobs: a message\n"
    b"10|RUNNING|0\n"
    b"|RUNNING|0|n1||main|/home/me/11.out|\n"
    b"\n"
    b"12|FAILED|256|n2|NonZeroExitCode|main|/home/me/12.out|\n"
)


def answers(monkeypatch: pytest.MonkeyPatch, folder: Path, **commands: bytes) -> Slurm:
    """A cluster whose commands print this."""
    for name, text in commands.items():
        (folder / f"{name}.txt").write_bytes(text)
        (folder / name).write_text(f"#!/bin/sh\ncat {folder}/{name}.txt\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return Slurm(folder)


def test_a_job_whose_path_has_a_bar_or_is_no_utf_8_and_rows_that_are_none_disturb_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = answers(monkeypatch, tmp_path, squeue=ROWS).states([])
    assert states is not None
    assert {name: state.state for name, state in states.items()} == {
        "7_0": "RUNNING",
        "8": "RUNNING",
        "9": "PENDING",
        "12": "FAILED",
    }
    assert states["7_0"].log.startswith("/home/me/.snakemake/submitit/")
    assert states["8"].log.startswith("/home/me/a|b|c/")
    assert (states["12"].exit, states["12"].nodes) == ("exit code 1", "n2")


def test_rows_of_sacct_that_are_none_disturb_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sacct = b"7_0|CANCELLED by 0|0:15|n1\n7_1||0:0|\n7_2|FAILED\n7_3|RUNNING|0:0|n1\n"
    cluster = answers(monkeypatch, tmp_path, squeue=b"", sacct=sacct)
    assert cluster.states(["7_0", "7_1", "7_2", "7_3"]) == {"7_0": JobState("CANCELLED", "signal 15", "n1")}


def test_squeue_is_asked_for_hidden_partitions_and_not_as_the_users_terminal_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQUEUE_PARTITION", "gpu")
    cluster = answers(monkeypatch, tmp_path, squeue=ROWS)
    (tmp_path / "squeue").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\nenv > {tmp_path}/environment\n')
    assert cluster.states([]) == {}
    assert "--all" in (tmp_path / "asked").read_text().split()
    assert "SQUEUE_" not in (tmp_path / "environment").read_text()


def test_one_scancel_asks_once_for_each_array_and_asks_the_user_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCANCEL_INTERACTIVE", "true")
    cluster = answers(monkeypatch, tmp_path, scancel=b"")
    (tmp_path / "scancel").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nenv > {tmp_path}/environment\n')
    cluster.cancel([])
    cluster.cancel(["12_0", "7", "12_3", "9_1"])
    assert (tmp_path / "asked").read_text() == "--quiet 12_[0,3] 7 9_[1]\n"
    assert "SCANCEL_" not in (tmp_path / "environment").read_text()


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"SLURM_JOB_ID": "8"}, "8"),
        ({"SLURM_JOB_ID": "99", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "0"}, "7_0"),
    ],
)
def test_the_job_in_which_this_program_runs_is_none_that_makes_room(
    variables: dict[str, str], name: str, tmp_path: Path
) -> None:
    (tmp_path / "squeue").write_text(f"#!/bin/sh\ncat {tmp_path}/rows\n")
    (tmp_path / "squeue").chmod(0o755)
    (tmp_path / "rows").write_bytes(ROWS)
    code = (
        "from pathlib import Path; from submitit_ranks.slurm import Slurm;print(*sorted(Slurm(Path('.')).states([])))"
    )
    plain = {key: value for key, value in os.environ.items() if not key.startswith("SLURM_")}
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    seen = [
        subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout.split()
        for env in (plain | path, plain | path | variables)
    ]
    assert seen == [["12", "7_0", "8", "9"], [one for one in ("12", "7_0", "8", "9") if one != name]]


@pytest.mark.parametrize(
    ("code", "told"),
    [("0", ""), ("256", "exit code 1"), ("9", "signal 9"), ("0:0", ""), ("1:0", "exit code 1"), ("0:15", "signal 15")],
)
def test_a_code_says_how_a_job_ended_and_nothing_where_it_is_zero(code: str, told: str) -> None:
    assert _exit(code) == told


@pytest.fixture
def seen_by_sbatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """Submits a job with these variables around it and options of its own; those of SLURM's that sbatch then sees."""

    def submit(around: dict[str, str], **options: object) -> dict[str, str]:
        (tmp_path / "sbatch").write_text(f"#!/bin/sh\nenv | grep -E '^(SLURM|SBATCH)_' > {tmp_path}/seen\nexit 1\n")
        (tmp_path / "srun").touch()
        for name in ("sbatch", "srun"):
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        for name, value in around.items():
            monkeypatch.setenv(name, value)
        parameters = {"job_name": "r", "nodes": 1, "ntasks_per_node": 1, "cpus_per_task": 1, "time": None}
        parameters["additional_parameters"] = options
        with pytest.raises(NotSubmitted, match=r"^not submitted: "):
            Slurm(tmp_path).submit([Task(("done",), ("/bin/true",), "", 1, 1, None, {"slurm": parameters})])
        assert around.items() <= os.environ.items()
        return dict(line.split("=") for line in (tmp_path / "seen").read_text().split())

    return submit


def test_variables_of_the_job_that_this_program_runs_in_do_not_reach_sbatch(
    seen_by_sbatch: Callable[..., dict[str, str]],
) -> None:
    kept = {"SLURM_CLUSTERS": "a", "SLURM_CONF": "/site.conf", "SLURM_CONF_SERVER": "ctl", "SLURM_JWT": "token"}
    assert seen_by_sbatch(kept | {"SLURM_JOB_ID": "7", "SLURM_MEM_PER_NODE": "300"}) == kept


def test_what_a_job_asks_for_is_not_beaten_by_variables_that_sbatch_reads(
    seen_by_sbatch: Callable[..., dict[str, str]],
) -> None:
    """The order of sbatch is its command line, its variables, and last its script, into which submitit writes."""
    beaten = {"SBATCH_PARTITION": "debug", "SBATCH_TIMELIMIT": "10", "SBATCH_MEM_PER_CPU": "1", "SBATCH_ACCOUNT": "a"}
    beaten |= {"SBATCH_OUTPUT": "mine", "SBATCH_ARRAY_INX": "1-9", "SBATCH_EXPORT": "NONE"}
    kept = {"SBATCH_QOS": "long"}  # of which it says nothing
    assert seen_by_sbatch(beaten | kept, partition="gpu", time=240, mem=4000, account="project") == kept


def test_outside_a_job_what_the_user_sets_for_slurm_travels_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("SLURM_ACCOUNT", "mine")
    assert of_this_job() == {}
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert of_this_job().keys() >= {"SLURM_ACCOUNT", "SLURM_JOB_ID"}

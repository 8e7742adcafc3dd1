"""Trainings on a real SLURM cluster while something goes wrong under them, with the profile's own retries."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from open_files import holders
from slurm_here import TESTBED
from slurm_workflow import ROOT, SlurmWorkflow, queue
from study_project import Project, projects, slow_in_every_step, wait_for

from scalestudy.records.events import read_events

Make = Callable[..., Project]
DDP = {"name": "ddp", "layouts": ["2x1"]}
WIDE = "ddp-2x1"


@pytest.fixture
def training(tmp_path: Path) -> Iterator[Make]:
    """Studies whose runs take half a second for each step, wherever they run."""
    with projects(tmp_path) as make:

        def slow(*strategies: object, epochs: int) -> Project:
            study = make(slow_in_every_step(strategies, epochs))
            shutil.copy(ROOT / "tests/slow_models.py", study.folder)
            return study

        yield slow


def target(study: Project, *cells: str) -> list[str]:
    """The results of these runs, for Snakemake's command line."""
    return ["--", *(str(study.paths(cell).result.relative_to(study.folder)) for cell in cells)]


def saved(study: Project, cell: str, times: int = 1) -> Callable[[], bool]:
    return lambda: len(study.events(cell, "checkpoint")) >= times


def processes(study: Project, cell: str) -> list[int]:
    """Process ids of the ranks that started last; the nodes of this cluster share them."""
    logs = sorted(study.paths(cell).ranks.glob("rank*.jsonl"))
    return [[event["pid"] for event in read_events(log)[0] if event["event"] == "start"][-1] for log in logs]


def test_a_killed_rank_a_cancelled_job_a_killed_snakemake_and_a_restart_of_slurmctld_lose_no_run_and_start_none_twice(
    training: Make,
) -> None:
    study = training("serial", DDP, epochs=8)
    process = study.start(*target(study, WIDE))
    wait_for(saved(study, WIDE), "a checkpoint")
    first, second = processes(study, WIDE)
    os.kill(second, signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{first}").exists(), "the end of rank 0", 60)
    wait_for(lambda: len(study.starts(WIDE)) == 2, "the run to go on")
    assert study.said.count("Error in rule train") == 1
    assert "rank 1 on n" in study.said.partition("Error in rule train")[2]
    assert "was ended by SIGKILL" in study.said
    wait_for(saved(study, WIDE, 2), "another checkpoint")
    subprocess.run(["scancel", *queue(study.folder)], check=True)
    wait_for(lambda: len(study.starts(WIDE)) == 3, "the run to go on again")
    process.kill()
    process.wait()
    process = study.start()
    wait_for(lambda: "Took over job" in study.said, "the restarted Snakemake to take it over")
    subprocess.run([TESTBED, "stop-controller"], check=True)
    try:
        wait_for(lambda: "squeue does not answer" in study.said, "a squeue that fails")
    finally:
        subprocess.run([TESTBED, "start-controller"], check=True)
    assert process.wait(240) == 0, study.said
    study.finished()
    assert len(study.result(WIDE).parts) == len(study.starts(WIDE)) == 3


def test_a_study_ends_and_trains_no_run_twice_at_once_though_slurm_lost_sight_of_a_node(training: Make) -> None:
    """Only slurmd is gone: the rank trains on beside the job that is started in its place, which waits for it."""
    study = training("serial", epochs=9)
    once = "train:slurm_extra='--no-requeue'"  # Snakemake's new attempt comes at once, SLURM's after a while
    process = study.start("--set-resources", once)
    wait_for(saved(study, "serial-1x1"), "a checkpoint")
    (start,) = study.starts("serial-1x1")
    node = ["scontrol", "update", f"nodename={start['host']}"]
    subprocess.run([TESTBED, "kill-slurmd", start["host"]], check=True)
    subprocess.run([*node, "state=down", "reason=silent"], check=True)  # by itself SLURM misses it at some time
    try:
        wait_for(lambda: "is NODE_FAIL" in study.said, "SLURM's word that the node failed", 60)
        wait_for(lambda: study.said.count("Submitted 1 x train") == 2, "the next attempt")
        lock = study.paths("serial-1x1").folder / "lock"
        wait_for(lambda: holders(lock) - {start["pid"]}, "its rank to wait")
        time.sleep(3)
        assert len(study.starts("serial-1x1")) == 1
        assert Path(f"/proc/{start['pid']}").exists()
    finally:
        subprocess.run([TESTBED, "start-node", start["host"]], check=True)
        subprocess.run([*node, "state=resume"], check=True)
    assert process.wait(180) == 0, study.said
    study.finished()
    assert study.said.count("Error in rule train") == 1
    assert study.result("serial-1x1").resumed == 1
    assert len(study.starts("serial-1x1")) == 2


def test_a_small_study_trains_without_sacct_through_an_sbatch_that_refuses_and_a_squeue_that_fails_for_a_minute(
    training: Make, tmp_path: Path
) -> None:
    study = training("serial", epochs=2)
    commands = SlurmWorkflow(tmp_path / "commands", "")
    commands.without("sacct")
    study.variables["PATH"] = commands.path
    commands.touch("sbatch-refuses")
    process = study.start()
    wait_for(lambda: study.starts("serial-1x1"), "the run to start")
    begin = time.time()
    commands.touch("squeue-fails")
    wait_for(study.paths("serial-1x1").result.exists, "its result")
    wait_for(lambda: commands.calls("squeue")[-1] - begin > 60, "a minute without squeue")
    commands.remove("squeue-fails")
    assert process.wait(120) == 0, study.said
    study.finished()
    assert study.result("serial-1x1").resumed == 0
    assert len(study.starts("serial-1x1")) == 1
    assert "Error in rule" not in study.said
    assert study.said.count("squeue does not answer") == 1

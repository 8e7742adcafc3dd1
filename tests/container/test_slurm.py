"""Runs inside the image on the nodes of a real SLURM cluster, sent there from a host environment without torch."""

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ordinary_user import NAME, ROOT, OrdinaryUser
from processes import mounted, nothing_is_left, processes, wait_for
from quick_study import quick
from slurm_here import cluster, need_cluster
from study_folder import NET, StudyFolder, tiny

from scalestudy.records.events import read_events

SLURM = ("snakemake", "--profile", "slurm", "--seconds-between-status-checks", "1")
SLOW = ROOT / "tests" / "slow_models.py"
CELL = "net/epoch/serial-1x1"
EPOCHS = 4


@pytest.fixture(scope="module", autouse=True)
def slurm_cluster() -> Iterator[None]:
    need_cluster()
    with cluster():
        yield
        subprocess.run(["scancel", f"--user={NAME}"], check=False, capture_output=True)


def queue() -> list[str]:
    command = ["squeue", "--noheader", f"--user={NAME}", "--format=%i"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_the_quick_study_with_ddp_on_two_nodes_runs_in_the_image(other_study: StudyFolder, sif: Path) -> None:
    other_study.configure({"engine": "apptainer", "image": str(sif)}, quick())
    done = other_study.user.run(*SLURM, folder=other_study.folder)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-5000:]
    assert (other_study.folder / "reports/quick/report.pdf").read_bytes().startswith(b"%PDF-")
    report = other_study.json("results/quick/report.json")
    wanted = quick()["studies"]["quick"]
    runs = len(wanted["workloads"]) * len(wanted["strategies"])
    assert report["counts"]["completed"] == report["counts"]["planned"] == runs
    assert all(row["passed"] for row in report["parity"])
    image = other_study.json("images/image.json")
    results = other_study.results()
    nodes = {"serial-1x1": 1, "data_parallel-1x2": 1, "ddp-2x2": 2, "hybrid-2x2": 2, "hsdp-2x2": 2}
    assert results.keys() == {f"{workload}/epoch/{cell}" for workload in wanted["workloads"] for cell in nodes}
    for run, result in results.items():
        provenance = result["provenance"]
        assert len(provenance["hosts"]) == nodes[run.rpartition("/")[2]]
        assert all(re.fullmatch(r"n\d+", host) for host in provenance["hosts"])
        assert provenance["engine"] == "apptainer"
        assert provenance["image_digest"] == result["parts"][0]["image_digest"] == image["digest"]
        assert provenance["slurm"]["SLURM_JOB_ID"].isdigit()
    nothing_is_left()


def slow(study: StudyFolder, sif: Path, step_s: float) -> str:
    """One run of 64 steps in the image, each of so many seconds and whatever else it takes; its folder."""
    data = NET["data"] | {"options": NET["data"]["options"] | {"train": 64}}
    config = tiny(data=data, batch_size=4, epochs=EPOCHS, model={"name": "slow_models:SlowInEveryStep"})
    study.configure({"engine": "apptainer", "image": str(sif)}, config)
    (study.folder / SLOW.name).write_text(SLOW.read_text().replace("STEP_S = 0.5", f"STEP_S = {step_s}"))
    return study.run(CELL)


@pytest.fixture(scope="module")
def never_stopped(place: Path, user: OrdinaryUser, sif: Path) -> dict[str, Any]:
    """The result of the slow run without its pauses, trained in one go in the image on this machine."""
    study = StudyFolder(place / "never-stopped", user)
    done = study.snakemake(f"{slow(study, sif, 0.0)}/result.json")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-5000:]
    result = study.results()[CELL]
    assert (result["resumed"], len(result["epochs"])) == (0, EPOCHS)
    return result


@dataclass
class Slow:
    """A run of half a minute or more through the profile `slurm`, and Snakemake that waits for it."""

    study: StudyFolder
    run: str
    process: subprocess.Popen[bytes]

    @property
    def said(self) -> str:
        """What Snakemake printed so far."""
        return (self.study.folder / "output").read_text()

    def events(self, name: str) -> list[dict[str, Any]]:
        """What rank 0 wrote down under this name so far."""
        path = self.study.folder / self.run / "ranks/rank0.jsonl"
        return [event for event in read_events(path)[0] if event["event"] == name] if path.exists() else []

    def result(self) -> dict[str, Any]:
        """Waits for Snakemake's end, which must be a good one."""
        assert self.process.wait(600) == 0, self.said[-5000:]
        return self.study.results()[CELL]


@pytest.fixture
def training(other_study: StudyFolder, sif: Path) -> Iterator[Callable[..., Slow]]:
    """Starts the slow run through the profile, with further arguments for Snakemake."""
    started: list[Slow] = []

    def start(*arguments: str) -> Slow:
        run = slow(other_study, sif, 0.5)
        command = other_study.user.command(*SLURM, *arguments, "--", f"{run}/result.json")
        with (other_study.folder / "output").open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=other_study.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        started.append(Slow(other_study, run, process))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


def losses(result: dict[str, Any]) -> list[tuple[float, float, float]]:
    """What each epoch recorded of losses and accuracy."""
    return [(epoch["train_loss"], epoch["test_loss"], epoch["test_accuracy"]) for epoch in result["epochs"]]


def test_a_run_that_reaches_its_time_limit_ends_inside_as_one_that_never_stopped_and_leaves_nothing_on_the_nodes(
    training: Callable[..., Slow], never_stopped: dict[str, Any]
) -> None:
    # Half of the first minute is for saving, and the steps alone take 32 s. A machine that is too slow to begin within
    # the other half gets two minutes the next time.
    started = training("--set-resources", "train:runtime=attempt")
    result = started.result()
    stops, resumes = started.events("stop"), started.events("resume")
    assert {stop["reason"] for stop in stops} == {"time limit"}
    assert [(one["epoch"], one["step"]) for one in resumes] == [(one["epoch"], one["step"]) for one in stops]
    assert result["resumed"] == len(stops) >= 1
    assert any((stop["epoch"], stop["step"]) > (0, 0) for stop in stops)
    assert started.said.count("it stopped early to be started again") == len(stops)
    assert result["weights_sha256"] == never_stopped["weights_sha256"]
    assert losses(result) == losses(never_stopped)
    assert_in_the_image_on_nodes(result, started.study, jobs=len(stops) + 1)
    nothing_is_left()  # the nodes are namespaces of this machine, and what runs or is mounted on them is seen here
    assert queue() == []


def test_a_run_that_slurm_requeues_goes_on_inside_as_the_same_job_and_leaves_nothing_on_the_nodes(
    training: Callable[..., Slow], never_stopped: dict[str, Any]
) -> None:
    started = training()
    wait_for(lambda: started.events("checkpoint") or started.process.poll() is not None, "a checkpoint")
    assert started.process.poll() is None, started.said[-5000:]
    (job,) = queue()
    assert processes("squashfuse")
    subprocess.run(["scontrol", "requeue", job], check=True)
    wait_for(lambda: not processes("scalestudy train"), "the end of the first start")
    wait_for(lambda: not mounted(), "the end of its mount")
    result = started.result()
    assert result["resumed"] == len(started.events("resume")) == 1
    assert len(started.events("start")) == 2
    assert "Error in rule" not in started.said
    assert started.said.count("Submitted 1 x train") == 1
    assert result["weights_sha256"] == never_stopped["weights_sha256"]
    assert losses(result) == losses(never_stopped)
    assert_in_the_image_on_nodes(result, started.study, jobs=1)
    nothing_is_left()
    assert queue() == []


def assert_in_the_image_on_nodes(result: dict[str, Any], study: StudyFolder, jobs: int) -> None:
    """Every start of the run was in the study's image, on a node, in one of so many jobs."""
    digest = study.json("images/image.json")["digest"]
    parts = result["parts"]
    assert len(parts) == result["resumed"] + 1
    assert {part["image_digest"] for part in parts} == {digest}
    assert all(re.fullmatch(r"n\d+", part["host"]) for part in parts)
    assert len({part["slurm"]["SLURM_JOB_ID"] for part in parts}) == jobs

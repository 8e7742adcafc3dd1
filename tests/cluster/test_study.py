"""Whole studies on a real SLURM cluster: from the configuration to the PDF, and through what goes wrong on the way."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from slurm_workflow import ROOT, TESTBED, queue
from study_project import ALL, ORDINARY, Project, config, quick, readable_python, wait_for

from scalestudy.records.files import read_model
from scalestudy.records.paths import RunPaths
from scalestudy.records.result import Result

Make = Callable[..., Project]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other users can reach."""
    folder = Path(tempfile.mkdtemp(prefix="scalestudy-test-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def project(place: Path) -> Iterator[Make]:
    made: list[Project] = []

    def make(*arguments: object, **options: object) -> Project:
        made.append(Project(place / f"project{len(made)}", *arguments, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        if one.output.exists():
            print(one.said[-6000:])  # pytest shows it when the test failed
        one.clean_up()


@pytest.mark.parametrize("user", ["root", ORDINARY])
def test_a_study_goes_from_its_configuration_to_the_pdf_on_several_nodes(user: str, place: Path, project: Make) -> None:
    python = sys.executable if user == "root" else readable_python(place)
    study = project(config(ALL), user=user, python=python)
    assert study.run() == 0, study.said
    assert (study.folder / "reports/tiny/report.pdf").read_bytes().startswith(b"%PDF-")
    report = study.report()
    assert report["counts"]["completed"] == report["counts"]["planned"] == len(ALL)
    assert all(row["passed"] for row in report["parity"])
    for cell in ("serial-1x1", "data_parallel-1x2"):
        assert_recorded(study.result(cell), hosts=1)
    for cell in ("ddp-2x1", "hybrid-2x1", "hsdp-2x1"):
        assert_recorded(study.result(cell), hosts=2)
        assert study.result(cell).parts[0].slurm.keys() >= {"SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"}  # alike jobs
        logs = {path.name for path in study.paths(cell).folder.glob("train.log*")}
        assert logs == {"train.log", "train.log.rank1"}
    assert not queue()


def test_the_quick_study_of_the_project_trains_with_two_ranks_on_each_of_two_nodes(project: Make) -> None:
    study = project(quick())
    cells = ("ddp-2x2", "hsdp-2x2", "hybrid-2x2")  # `auto`, on the cluster that config.yaml describes
    assert study.run("--", *(str(study.paths(cell).result.relative_to(study.folder)) for cell in cells)) == 0, (
        study.said
    )
    for cell in cells:
        assert_recorded(study.result(cell), hosts=2)
    for cell in cells[:2]:  # hybrid is one rank with two threads on each node
        logs = {path.name for path in study.paths(cell).folder.glob("train.log*")}
        assert logs == {"train.log", *(f"train.log.rank{rank}" for rank in (1, 2, 3))}


def assert_recorded(result: Result, hosts: int) -> None:
    """The run trained on so many nodes, and says in which job."""
    assert result.provenance is not None
    slurm = result.provenance.slurm
    assert len(result.provenance.hosts) == hosts
    assert all(host.startswith("n") for host in result.provenance.hosts)
    assert slurm["SLURM_JOB_ID"].isdigit()
    listed = subprocess.run(
        ["scontrol", "show", "hostnames", slurm["SLURM_JOB_NODELIST"]], capture_output=True, text=True, check=True
    )
    assert listed.stdout.split() == result.provenance.hosts


def test_a_run_that_reaches_its_time_limit_twice_goes_on_where_it_was_and_ends(project: Make) -> None:
    tiny = config(["serial"], epochs=8, train=64, batch_size=4)
    tiny["workloads"]["net"]["model"]["name"] = "slow_models:SlowInEveryStep"
    study = project(tiny)
    shutil.copy(ROOT / "tests/slow_models.py", study.folder)
    target = str(study.paths("serial-1x1").result.relative_to(study.folder))
    # 128 steps of 0.5 s: more than two jobs get done in the half of their minute that is not kept for saving.
    limit = "train:runtime=1 if attempt < 3 else 10"
    assert study.run("--set-resources", limit, "--", target) == 0, study.said
    stops, resumes = study.events("serial-1x1", "stop"), study.events("serial-1x1", "resume")
    assert [stop["reason"] for stop in stops] == ["time limit"] * 2
    assert [(one["epoch"], one["step"]) for one in resumes] == [(one["epoch"], one["step"]) for one in stops]
    assert study.result("serial-1x1").resumed == 2
    assert study.said.count("it stopped early to be started again") == 2


def test_a_ddp_run_that_lost_a_node_and_was_cancelled_ends_on_other_nodes_with_the_same_bits(project: Make) -> None:
    ddp = {"name": "ddp", "layouts": ["2x1"]}
    study = project(config(["serial", ddp], epochs=12, train=512, batch_size=4))
    target = str(study.paths("ddp-2x1").result.relative_to(study.folder))
    process = study.start("--", target)
    wait_for(lambda: len(study.events("ddp-2x1", "checkpoint")) >= 2, "the second checkpoint")
    lost = study.events("ddp-2x1", "start")[0]["host"]
    subprocess.run([TESTBED, "kill-node", lost], check=True)
    try:
        wait_for(lambda: len(study.events("ddp-2x1", "resume")) == 1, "the run to go on", 240)
        wait_for(lambda: len(study.events("ddp-2x1", "checkpoint")) >= 5, "checkpoints after it")
        study.interrupt(process)
        wait_for(lambda: not queue(), "the end of the cancelled job")
        assert (study.paths("ddp-2x1").checkpoints / "latest").exists()
        assert study.run("--", target) == 0, study.said
    finally:
        subprocess.run([TESTBED, "start-node", lost], check=True)
    resumed = study.result("ddp-2x1")
    assert resumed.resumed == 2
    assert len(resumed.parts) == 3
    assert len({part.slurm["SLURM_JOB_NODELIST"] for part in resumed.parts}) >= 2
    assert lost not in resumed.parts[-1].slurm["SLURM_JOB_NODELIST"]
    assert resumed.total_s == pytest.approx(sum(part.time_s for part in resumed.parts))
    assert resumed.weights_sha256 == never_stopped(study).weights_sha256


def never_stopped(study: Project) -> Result:
    """The same run, trained on this machine in one go."""
    again = study.folder / "again"
    again.mkdir()
    shutil.copy(study.paths("ddp-2x1").run, again / "run.json")
    subprocess.run(
        [sys.executable, "-m", "scalestudy", "train", str(again / "run.json")],
        cwd=study.folder,
        check=True,
        timeout=300,
    )
    result = read_model(RunPaths(again).result, Result)
    assert result.resumed == 0
    return result

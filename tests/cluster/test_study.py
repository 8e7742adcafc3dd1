"""Whole studies on a real SLURM cluster: from the configuration to the PDF, and through what goes wrong on the way."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from slurm_workflow import ROOT, queue
from study_project import ALL, ORDINARY, Project, config, readable_python, wait_for

from scalestudy.records.result import Result

TESTBED = ROOT / "slurm" / "testbed" / "cluster"
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/run/scalestudy-cluster").exists(),
    reason="runs as two users and stops parts of the cluster: only as root on the one that `make cluster` boots",
)
Make = Callable[..., Project]
LONG = {"epochs": 8, "train": 2048, "batch_size": 4}


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
        logs = {path.name for path in study.paths(cell).folder.glob("train.log*")}
        assert logs == {"train.log", "train.log.rank1"}
    assert not queue()


def assert_recorded(result: Result, hosts: int) -> None:
    """The run trained on so many nodes, and says in which job."""
    assert result.provenance is not None
    slurm = result.provenance.slurm
    assert len(result.provenance.hosts) == hosts
    assert set(result.provenance.hosts) <= {"n1", "n2", "n3", "n4"}
    assert slurm["SLURM_JOB_ID"].isdigit()
    listed = subprocess.run(
        ["scontrol", "show", "hostnames", slurm["SLURM_JOB_NODELIST"]], capture_output=True, text=True, check=True
    )
    assert listed.stdout.split() == result.provenance.hosts


def test_a_run_that_reaches_its_time_limit_twice_goes_on_where_it_was(project: Make) -> None:
    study = project(config(["serial", {"name": "ddp", "layouts": ["2x1"]}], epochs=60, train=2048, batch_size=4))
    target = str(study.paths("serial-1x1").result.relative_to(study.folder))
    process = study.start("--default-resources", "runtime=1", "--", target)
    wait_for(lambda: len(study.events("serial-1x1", "stop")) == 2, "the second time limit", 240)
    stops = study.events("serial-1x1", "stop")
    assert [stop["reason"] for stop in stops] == ["time limit", "time limit"]
    assert (stops[1]["epoch"], stops[1]["step"]) > (stops[0]["epoch"], stops[0]["step"])
    assert process.poll() is None  # a third job goes on
    study.interrupt(process)

"""Whole studies on a real SLURM cluster: from the configuration to the PDF, and through what goes wrong on the way."""

import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running_beside import Beside
from slurm_here import TESTBED
from slurm_workflow import queue
from study_project import ORDINARY, WIDE, Project, config, on_two_nodes, projects, quick, readable_python, wait_for

from scalestudy.records.events import read_events
from scalestudy.records.files import read_model
from scalestudy.records.paths import RunPaths
from scalestudy.records.probe import Probe
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
    with projects(place) as make:
        yield make


def test_a_study_ends_though_its_run_reaches_its_time_limit_twice_and_goes_on_where_it_was(beside: Beside) -> None:
    study = beside.stopped
    assert study.processes[0].wait(300) == 0, study.said
    study.finished()
    stops, resumes = study.events("serial-1x1", "stop"), study.events("serial-1x1", "resume")
    assert [stop["reason"] for stop in stops] == ["time limit"] * 2
    assert [(one["epoch"], one["step"]) for one in resumes] == [(one["epoch"], one["step"]) for one in stops]
    assert study.result("serial-1x1").resumed == 2
    assert study.said.count("it stopped early to be started again") == 2


@pytest.mark.parametrize(("user", "layouts"), [("root", ("2x1", "2x2")), (ORDINARY, ("2x1",))])
def test_the_quick_study_goes_from_its_configuration_to_the_pdf_on_one_node_and_on_two(
    user: str, layouts: tuple[str, ...], place: Path, project: Make
) -> None:
    """With all ranks on different hosts; as root also with the layout of config.yaml's own cluster.

    Workloads, strategies and rules are those of config.yaml. Shortened (tests/quick_study.py) are only amounts: 512 of
    4,096 and 2,048 images, 2 of 4 epochs, 1 of 3 seeds. So no speedup here has an interval: those of the unshortened
    study are seen in CI, where `make run` trains all of it on this machine, in the time that these tests do not have.
    """
    python = sys.executable if user == "root" else readable_python(place)
    study = project(quick(on_two_nodes(*layouts)), user=user, python=python)
    assert study.run() == 0, study.said
    assert 0 < study.peak_mib < 200
    report = study.finished()
    assert report["counts"]["planned"] == 2 * (2 + len(WIDE) * len(layouts))
    assert all(row["passed"] for row in report["parity"])
    for workload in ("fashion", "cifar_synthetic"):
        for cell in ("serial-1x1", "data_parallel-1x2"):
            assert_recorded(study.result(cell, workload), 1)
        for strategy, layout in itertools.product(WIDE, layouts):
            result = study.result(f"{strategy}-{layout}", workload)
            assert_recorded(result, 2)
            if strategy != "hybrid":  # which asks for other cores, and may be alone
                assert result.parts[0].slurm.keys() >= {"SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"}  # alike jobs
            logs = {path.name for path in study.paths(f"{strategy}-{layout}", workload).folder.glob("train.log*")}
            ranks = 2 if layout == "2x1" or strategy == "hybrid" else 4  # hybrid: one rank a node, a thread a device
            assert logs == {"train.log", *(f"train.log.rank{rank}" for rank in range(1, ranks))}
    for layout in layouts:
        assert_probed_between_nodes(study, layout)
    # Too little was measured to predict from it; why, is said in one line.
    asked = [python, "-m", "scalestudy", "predict", "quick", "--devices", "64"]
    answer = subprocess.run(asked, cwd=study.folder, capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert answer.stderr.startswith("scalestudy predict: results/quick: nothing can be predicted: ")
    assert answer.stderr.count("\n") == 1


def assert_probed_between_nodes(study: Project, layout: str) -> None:
    """The probe ran on two hosts, in a job; and the report has latency and bandwidth between them."""
    probe = read_model(study.folder / f"results/quick/probe/{layout}.json", Probe)
    assert probe.provenance is not None
    assert len(set(probe.provenance.hosts)) == probe.nodes == 2
    assert "SLURM_JOB_ID" in probe.provenance.slurm
    sums = [one for one in probe.all_reduce if one.group == "all"]
    assert sums
    assert all(one.ranks == probe.nodes * probe.devices_per_node for one in sums)
    assert {one.work for one in probe.throughput} >= {"training"}
    links = [link for link in study.report()["probe"]["links"] if link["nodes"] == 2]
    assert links
    assert all(link["beta_s_per_byte"] > 0 or link["alpha_s"] > 0 for link in links)


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


def test_a_study_ends_though_its_ddp_run_lost_a_node_and_was_cancelled_on_other_nodes_and_with_the_same_bits(
    project: Make,
) -> None:
    ddp = {"name": "ddp", "layouts": ["2x1"]}
    study = project(config(["serial", ddp], epochs=12, train=512, batch_size=4))
    target = str(study.paths("ddp-2x1").result.relative_to(study.folder))
    begin = time.monotonic()
    process = study.start("--", target)
    wait_for(lambda: len(study.events("ddp-2x1", "checkpoint")) >= 2, "the second checkpoint")
    lost = study.events("ddp-2x1", "start")[0]["host"]
    subprocess.run([TESTBED, "kill-node", lost], check=True)
    try:
        wait_for(lambda: len(study.events("ddp-2x1", "resume")) == 1, "the run to go on", 240)
        wait_for(lambda: len(study.events("ddp-2x1", "checkpoint")) >= 5, "checkpoints after it")
        study.interrupt(process)
        wait_for(lambda: not queue(study.folder), "the end of the cancelled job")
        assert (study.paths("ddp-2x1").checkpoints / "latest").exists()
        assert study.run() == 0, study.said
    finally:
        subprocess.run([TESTBED, "start-node", lost], check=True)
    study.finished()
    resumed = study.result("ddp-2x1")
    assert resumed.resumed == 2
    assert len(resumed.parts) == 3
    assert len({part.slurm["SLURM_JOB_NODELIST"] for part in resumed.parts}) >= 2
    assert lost not in resumed.parts[-1].slurm["SLURM_JOB_NODELIST"]
    assert trained_s(study) < resumed.total_s < time.monotonic() - begin
    assert resumed.weights_sha256 == never_stopped(study).weights_sha256
    # Ranks find each other by themselves.
    by_hand = never_stopped(study, "srun", "--nodes=2", "--ntasks-per-node=1", "--mem=2000")
    assert_recorded(by_hand, 2)
    assert resumed.weights_sha256 == by_hand.weights_sha256


def trained_s(study: Project) -> float:
    """From each start to the last state that was saved, as the time of the events tells."""
    events, total_s = read_events(study.paths("ddp-2x1").events(0))[0], 0.0
    starts = [number for number, event in enumerate(events) if event["event"] == "start"]
    for begin, end in zip(starts, [*starts[1:], len(events)], strict=True):
        kept = [one["time"] for one in events[begin:end] if one["event"] in ("checkpoint", "end")]
        total_s += kept[-1] - events[begin]["time"]
    return total_s


def never_stopped(study: Project, *launcher: str) -> Result:
    """The same run, trained in one go: on this machine, or where a launcher starts its ranks."""
    again = study.folder / "-".join(["again", *launcher])
    again.mkdir()
    shutil.copy(study.paths("ddp-2x1").run, again / "run.json")
    subprocess.run(
        [*launcher, sys.executable, "-m", "scalestudy", "train", str(again / "run.json")],
        cwd=study.folder,
        check=True,
        timeout=300,
    )
    result = read_model(RunPaths(again).result, Result)
    assert result.resumed == 0
    return result

"""Runs inside the image on the nodes of a real SLURM cluster, sent there from a host environment without torch."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ordinary_user import NAME
from processes import engine_processes
from slurm_here import need_cluster
from study_folder import NET, StudyFolder

CLUSTER = {"nodes": 2, "devices_per_node": 2}
SLURM = ("snakemake", "--profile", "slurm", "--seconds-between-status-checks", "1")
DDP = {"name": "ddp", "layouts": ["2x1"]}


@pytest.fixture(scope="module", autouse=True)
def slurm_cluster() -> Iterator[None]:
    need_cluster()
    yield
    subprocess.run(["scancel", f"--user={NAME}"], check=False, capture_output=True)


def configure(study: StudyFolder, sif: Path, strategies: list[Any], **net: Any) -> None:
    studies = {"tiny": {"workloads": ["net"], "strategies": strategies, "seeds": [1]}}
    container = {"engine": "apptainer", "image": str(sif)}
    study.configure(container, cluster=CLUSTER, workloads={"net": NET | net}, studies=studies)


def wait_for(condition: Callable[[], object], timeout_s: float) -> None:
    """Wait for what must come."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "what the test waits for did not come"
        time.sleep(0.5)


def queue() -> list[str]:
    command = ["squeue", "--noheader", f"--user={NAME}", "--format=%i"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_a_study_with_ddp_on_two_nodes_runs_in_the_image(other_study: StudyFolder, sif: Path) -> None:
    configure(other_study, sif, ["serial", DDP])
    done = other_study.user.run(*SLURM, folder=other_study.folder)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-5000:]
    assert (other_study.folder / "reports/tiny/report.pdf").read_bytes().startswith(b"%PDF-")
    image = other_study.json("images/image.json")
    results = other_study.results()
    for run, nodes in (("serial-1x1", 1), ("ddp-2x1", 2)):
        provenance = results[f"net/epoch/{run}/seed1"]["provenance"]
        assert len(provenance["hosts"]) == nodes
        assert all(re.fullmatch(r"n\d+", host) for host in provenance["hosts"])
        assert provenance["engine"] == "apptainer"
        assert provenance["image_digest"] == image["digest"]
        assert provenance["slurm"]["SLURM_JOB_ID"].isdigit()
    assert all(row["passed"] for row in other_study.json("results/tiny/report.json")["parity"])
    assert engine_processes() == []


def test_a_run_that_reaches_its_time_limit_goes_on_inside_and_leaves_nothing_on_the_node(
    other_study: StudyFolder, sif: Path
) -> None:
    configure(other_study, sif, ["serial"], epochs=5000, untimed_epochs=0)
    run = "results/tiny/runs/net/epoch/serial-1x1/seed1"
    command = other_study.user.command(*SLURM, "--default-resources", "runtime=1", "--", f"{run}/result.json")
    output = other_study.folder / "output"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            command,
            cwd=other_study.folder,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )

    def events(name: str) -> list[dict[str, Any]]:
        path = other_study.folder / run / "ranks/rank0.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [event for event in map(json.loads, lines) if event["event"] == name]

    try:
        wait_for(lambda: events("resume") or process.poll() is not None, 300)
        assert process.poll() is None, output.read_text()[-5000:]
        stop, resume = events("stop")[0], events("resume")[0]
        assert stop["reason"] == "time limit"
        assert (resume["epoch"], resume["step"]) == (stop["epoch"], stop["step"])
        assert len(engine_processes("squashfuse")) == 1, "the image of the first job is not mounted any more"
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(120) != 0
        wait_for(lambda: not queue(), 60)
        wait_for(lambda: not engine_processes(), 30)
    finally:
        if process.poll() is None:
            process.kill()

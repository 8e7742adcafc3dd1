"""Runs inside the image on the nodes of a real SLURM cluster, sent there from a host environment without torch."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ordinary_user import NAME
from processes import nothing_is_left, processes, wait_for
from quick_study import quick
from slurm_here import cluster, need_cluster
from study_folder import StudyFolder, tiny

SLURM = ("snakemake", "--profile", "slurm", "--seconds-between-status-checks", "1")


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


def test_a_run_that_reaches_its_time_limit_goes_on_inside_and_leaves_nothing_on_the_node(
    other_study: StudyFolder, sif: Path
) -> None:
    other_study.configure({"engine": "apptainer", "image": str(sif)}, tiny(epochs=100_000, untimed_epochs=0))
    run = other_study.run("net/epoch/serial-1x1")
    # A machine that is too slow to train within the first minute gets two the next time.
    command = other_study.user.command(*SLURM, "--set-resources", "train:runtime=attempt", "--", f"{run}/result.json")
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

    def events() -> list[dict[str, Any]]:
        path = other_study.folder / run / "ranks/rank0.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]  # the last may be half written

    def resumed() -> bool:
        return any(event["event"] == "resume" for event in events())

    try:
        wait_for(lambda: resumed() or process.poll() is not None, "the run to go on", 900)
        assert process.poll() is None, output.read_text()[-5000:]
        found = events()
        place = next(number for number, event in enumerate(found) if event["event"] == "resume")
        resume = found[place]
        stop = [event for event in found[:place] if event["event"] == "stop"][-1]
        assert stop["reason"] == "time limit"
        assert (resume["epoch"], resume["step"]) == (stop["epoch"], stop["step"])
        wait_for(lambda: len(processes("squashfuse")) == 1, "the end of the first job's mount")
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(300) != 0
        wait_for(lambda: not queue(), "the end of the cancelled job")
        nothing_is_left()
    finally:
        if process.poll() is None:
            process.kill()

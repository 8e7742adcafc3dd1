"""What a rank does with a signal that comes while it starts its command, and what it leaves behind and hands on."""

import os
import subprocess
import sys
import time
from pathlib import Path

import cloudpickle
import pytest
from submitit.core.utils import DelayedSubmission

from submitit_ranks import rank
from submitit_ranks.ending import JobState, failure_message, rank_errors

# Runs a task in this very process, to which a signal comes at a moment of its choice: so submitit runs a rank.
RANK = """
import os, signal, subprocess
from submitit_ranks import rank

moment, number = {moment!r}, signal.{name}
start, environment = subprocess.Popen, rank.Task.environment

def started(*args, **kwargs):
    child = start(*args, **kwargs)
    os.kill(os.getpid(), number)
    return child

def asked(task):
    os.kill(os.getpid(), number)
    return environment(task)

if moment == "command":
    rank.subprocess.Popen = started
else:
    rank.Task.environment = asked
rank.Task(("done",), ("/bin/sh", "-c", "exec sleep 60"), "", 1, 1, None, {{}})()
"""
LOCAL = {"SUBMITIT_EXECUTOR": "local", "SUBMITIT_LOCAL_JOB_ID": "12", "SUBMITIT_LOCAL_NTASKS": "1"}
LOCAL |= {"SUBMITIT_LOCAL_GLOBALID": "0", "SUBMITIT_LOCAL_LOCALID": "0", "SUBMITIT_LOCAL_NODEID": "0"}


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGUSR2"])
@pytest.mark.parametrize("moment", ["environment", "command"])
def test_a_signal_while_the_command_starts_ends_it(moment: str, name: str) -> None:
    begin = time.monotonic()
    script = RANK.format(moment=moment, name=name)
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | LOCAL, capture_output=True, text=True, timeout=50, check=False
    )
    assert time.monotonic() - begin < 30
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("was ended by SIGTERM"), done.stderr


def submitit_on_a_node(folder: Path, command: str) -> subprocess.Popen[bytes]:
    """What SLURM starts, once or again: the only rank of job 5, whose command this is. Its log is appended to."""
    slurm = {"SLURM_JOB_ID": "5", "SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1", "SLURM_NODEID": "0"}
    slurm |= {"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_JOB_NODELIST": "n1", "SUBMITIT_EXECUTOR": "slurm"}
    cloudpickle.register_pickle_by_value(rank)
    task = rank.Task(("done",), ("/bin/sh", "-c", command), "", 1, 1, None, {})
    DelayedSubmission(task).dump(folder / "5_submitted.pkl")
    with (folder / "5_0_log.err").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "submitit.core._submit", str(folder)],
            env=os.environ | slurm,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )


def test_of_a_job_that_slurm_started_again_the_last_start_is_told(tmp_path: Path) -> None:
    again = f"if [ ! -e {tmp_path}/again ]; then touch {tmp_path}/again; echo first >&2; exit 3; fi; "
    command = f"{again}echo second >&2; touch {tmp_path}/begun; exec sleep 60"
    assert submitit_on_a_node(tmp_path, command).wait(60) == 1
    ((_, error),) = rank_errors(tmp_path, "5")
    assert error.endswith("ended with exit code 3")
    process = submitit_on_a_node(tmp_path, command)
    end = time.monotonic() + 60
    while not (tmp_path / "begun").exists():
        assert time.monotonic() < end
        time.sleep(0.1)
    process.kill()  # as SLURM does at the time limit
    process.wait()
    assert rank_errors(tmp_path, "5") == []
    told = failure_message(tmp_path, "5", JobState("TIMEOUT", "", "n1"))
    assert "exit code 3" not in told
    assert "Traceback" not in told
    assert told.splitlines()[-1].strip() == "second"


def test_a_command_does_not_hear_of_the_submitit_around_it(tmp_path: Path) -> None:
    assert submitit_on_a_node(tmp_path, f"env > {tmp_path}/seen").wait(60) == 0
    seen = (tmp_path / "seen").read_text()
    assert "RANK=0" in seen
    assert "SUBMITIT_" not in seen

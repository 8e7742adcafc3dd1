"""What a rank does with a signal that comes while it starts its command."""

import os
import subprocess
import sys
import time

import pytest

# Runs a task in this very process, to which a signal comes at a moment of its choice: so submitit runs a rank.
RANK = """
import os, signal, subprocess
from snakemake_executor_plugin_submitit import rank

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

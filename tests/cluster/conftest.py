"""These tests need a SLURM cluster that answers. Where there is none they are skipped; in CI that is a failure."""

import os
import shutil
import subprocess

import pytest

WHY = "no SLURM cluster answers here; `make cluster` boots one on a Debian machine (as root)"


@pytest.fixture(scope="session", autouse=True)
def slurm_cluster() -> None:
    command = ["squeue", "--noheader"]
    if shutil.which("squeue") and subprocess.run(command, check=False, capture_output=True, timeout=60).returncode == 0:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(WHY)
    pytest.skip(WHY)

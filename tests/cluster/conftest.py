"""The SLURM cluster of these tests: booted here where that is possible, and taken down again if it was."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from running_beside import Beside, started
from slurm_workflow import TESTBED, UP, SlurmWorkflow

NODES = 4
"""So many the tests need; a larger cluster that is up stays as it is."""
# What the test cluster is made of, tried out where it leaves no trace.
NAMESPACES = "mount -t tmpfs none /mnt && { ! command -v ip || ip link add probe type bridge; }"


def pytest_runtest_setup() -> None:
    """Here, and not in a fixture, all that is skipped is one line."""
    if why := _impossible():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)


@pytest.fixture(scope="session", autouse=True)
def slurm_cluster() -> Iterator[None]:
    """Never the cluster of a real site, even where one answers: these tests stop parts of it."""
    was_up = UP.exists()
    there = len((UP / "nodes").read_text().splitlines()) if was_up else 0
    booted = subprocess.run([TESTBED, "up", str(max(NODES, there))], check=False, capture_output=True, text=True)
    assert booted.returncode == 0, booted.stderr
    yield
    if not was_up:
        subprocess.run([TESTBED, "down"], check=True)


@cache
def _impossible() -> str:
    if os.geteuid() != 0:
        return "only root can boot the test cluster"
    if shutil.which("apt-get") is None:
        return "the test cluster is made of Debian's SLURM packages, and there is no apt-get"
    if Path("/etc/slurm/slurm.conf").exists() and not UP.exists():
        return "this machine belongs to a SLURM cluster already (/etc/slurm/slurm.conf)"
    tried = subprocess.run(["unshare", "--net", "--mount", "sh", "-c", NAMESPACES], check=False, capture_output=True)
    if tried.returncode:
        return "the test cluster needs network namespaces; this container may not make any (NET_ADMIN, SYS_ADMIN)"
    return ""


@pytest.fixture
def workflow(tmp_path: Path) -> Iterator[Callable[[str], SlurmWorkflow]]:
    """Makes workflows; none may leave a job in the queue."""
    flows: list[SlurmWorkflow] = []

    def make(rules: str) -> SlurmWorkflow:
        flows.append(SlurmWorkflow(tmp_path / f"flow{len(flows)}", rules))
        return flows[-1]

    yield make
    assert [flow.clean_up() for flow in flows] == [[]] * len(flows)


@pytest.fixture(scope="session")
def beside(slurm_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    """Started with the first test that needs one of them, or wants them to begin early."""
    made = started(tmp_path_factory.mktemp)
    yield made
    made.stopped.clean_up()
    made.limited.clean_up(within_s=0)
    made.deaf.clean_up(within_s=0)

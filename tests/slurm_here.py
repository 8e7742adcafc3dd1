"""The SLURM cluster that tests run on: booted where that is possible, and taken down again if it was."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from needed import need

TESTBED = Path(__file__).resolve().parents[1] / "slurm" / "testbed" / "cluster"
UP = Path("/run/scalestudy-cluster")
"""There while it is up."""
LOCK = Path(tempfile.gettempdir(), "scalestudy-cluster-tests.lock")
"""Held by the tests that use it: another pytest's wait."""
NODES = 4
"""So many the tests need; a larger cluster that is up stays as it is."""
# What the test cluster is made of, tried out where it leaves no trace.
NAMESPACES = "mount -t tmpfs none /mnt && { ! command -v ip || ip link add probe type bridge; }"


def need_cluster() -> None:
    """Skips the test where none can be; in CI it fails."""
    need(not (why := _impossible()), why)


@contextmanager
def cluster() -> Iterator[None]:
    """Never that of a real site, even where one answers: tests stop parts of it."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
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

"""`make cluster` and `make cluster-down`, the last of these tests: the cluster is down for a moment."""

import re
import subprocess
import time
from pathlib import Path

from slurm_here import UP
from slurm_workflow import ROOT

NAMES = re.compile(r"slurm|munge|mysql|mariadb|scalestudy-cluster")
OTHERS = "scalestudy-test"
"""A user that tests of images make, perhaps at this moment."""
FOLDERS = ("/etc", "/etc/slurm", "/run", "/var/lib", "/var/lib/slurm", "/var/log", "/var/spool", "/dev/shm", "/tmp")
ACCOUNTS = ("/etc/passwd", "/etc/group", "/etc/hosts")


def test_the_cluster_boots_in_30_s_and_leaves_no_trace_and_both_may_be_asked_for_twice(tmp_path: Path) -> None:
    nodes = (UP / "nodes").read_text().split()
    up = ("cluster", f"N={len(nodes)}")
    try:
        make("cluster-down")
        make("cluster-down")
        assert traces(nodes) == []
        before = files()
        begin = time.monotonic()
        make(*up)
        assert time.monotonic() - begin < 30
        running = daemons()
        assert [name for _, name in running].count("slurmd") == len(nodes)
        make(*up)
        assert daemons() == running  # nothing was started anew
        everywhere = subprocess.run(["srun", f"-N{len(nodes)}", "hostname"], capture_output=True, text=True, check=True)
        assert sorted(everywhere.stdout.split()) == sorted(nodes)
        job = f"touch {tmp_path}/runs; exec sleep 4321"
        subprocess.run(["sbatch", "--output=/dev/null", f"--wrap={job}"], cwd=tmp_path, check=True, capture_output=True)
        while not (tmp_path / "runs").exists():
            assert time.monotonic() - begin < 120
            time.sleep(0.1)
        make("cluster-down")
        assert traces(nodes) == []
        assert "sleep 4321" not in output("ps", "-eo", "args").splitlines()
        assert files() == before
    finally:
        make(*up)


def make(*arguments: str) -> None:
    done = subprocess.run(["make", *arguments], cwd=ROOT, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def daemons() -> list[tuple[str, str]]:
    """Process id and name of what a cluster is made of."""
    rows = [row.split(maxsplit=2) for row in output("ps", "-eo", "pid,comm,args").splitlines()]
    return sorted((pid, name) for pid, name, command in rows if name.startswith("slurm") or str(UP) in command)


def traces(nodes: list[str]) -> list[str]:
    """What tells of a cluster that is, or was, up."""
    links = re.findall(r"^\d+: ([^:@]+)", output("ip", "-o", "link"), re.MULTILINE)
    spaces = [line.split()[0] for line in output("ip", "netns", "list").splitlines()]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    places = [UP, *(Path("/etc/slurm") / f"{name}.conf" for name in ("slurm", "slurmdbd", "gres"))]
    return [
        *(f"process {pid} {name}" for pid, name in daemons()),
        *(f"link {link}" for link in links if link == "scalestudy0" or link.startswith("sc-n")),
        *(f"namespace {space}" for space in spaces if space in nodes),
        *(
            f"mount {mount}"
            for mount in mounts
            if "scalestudy-cluster" in mount or (" /run/netns" in mount and not spaces)
        ),
        *(f"file {path}" for path in places if path.exists() or path.is_symlink()),
        *(f"control group {path}" for path in Path("/sys/fs/cgroup").rglob("*slurm*")),
        *(f"host {line}" for line in Path("/etc/hosts").read_text().splitlines() if "scalestudy" in line),
    ]


def files() -> list[str]:
    """Files where such programs leave some, and the accounts and hosts of this machine."""
    found = [str(path) for folder in FOLDERS for path in Path(folder).glob("*") if NAMES.search(path.name)]
    accounts = [line for path in ACCOUNTS for line in Path(path).read_text().splitlines()]
    return sorted(found) + [line for line in accounts if not line.startswith(OTHERS)]

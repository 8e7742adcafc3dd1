"""What a process and all that it starts take together, read from /proc while it runs."""

import re
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

INTERVAL_S = 0.02


class Taken(NamedTuple):
    """The most memory at one moment, and the processor time of all."""

    peak_mb: int
    cpu_s: float
    wall_s: float


def taken_by(command: list[str]) -> Taken:
    """Run the command to its end and measure it with its descendants; raises CalledProcessError when it fails.

    Memory is the proportional set size: what several share counts once.
    """
    # Of its own session, so that children that were handed on are found, too.
    started = time.perf_counter()
    process = subprocess.Popen(command, start_new_session=True)
    peak, ticks = 0, dict[int, float]()
    while process.poll() is None:
        members = _members(process.pid)
        peak = max(peak, sum(map(_memory_kb, members)))
        ticks |= {pid: max(ticks.get(pid, 0.0), _cpu_s(pid)) for pid in members}
        time.sleep(INTERVAL_S)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Taken(peak // 1024, sum(ticks.values()), time.perf_counter() - started)


def _members(session: int) -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _session(path) == session]


def _fields(path: Path) -> list[str]:
    try:
        return (path / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it ended
        return []


def _session(path: Path) -> int:
    fields = _fields(path)
    return int(fields[3]) if fields else -1


def _cpu_s(pid: int) -> float:
    fields = _fields(Path(f"/proc/{pid}"))
    return sum(map(int, fields[11:13])) / 100 if fields else 0.0


def _memory_kb(pid: int) -> int:
    try:
        found = re.search(r"^Pss:\s*(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0

"""Which processes have a file open."""

from contextlib import suppress
from pathlib import Path


def opens(pid: int, path: Path) -> bool:
    """Whether a process has the file open; not where the process is gone."""
    with suppress(OSError):
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                if file.readlink() == path:
                    return True
    return False


def holders(path: Path) -> set[int]:
    """Process ids of all that have the file open."""
    pids = [int(process.name) for process in Path("/proc").glob("[0-9]*")]
    return {pid for pid in pids if opens(pid, path)}

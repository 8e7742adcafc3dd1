"""What an engine may have left behind."""

import subprocess
from pathlib import Path


def left_of(sif: Path) -> list[str]:
    """Processes and mounts of an image."""
    found = subprocess.run(["pgrep", "-af", sif.name], capture_output=True, text=True, check=False).stdout
    mounts = Path("/proc/self/mounts").read_text()
    return [line for text in (found, mounts) for line in text.splitlines() if str(sif) in line or "squashfuse" in line]

"""Whether a SLURM cluster answers. Tests that need one are skipped without it; in CI that is a failure."""

import shutil
import subprocess

from needed import need

WHY = "no SLURM cluster answers here; `make cluster` boots one on a Debian machine (as root)"


def need_cluster() -> None:
    """Skips or fails the test where there is none."""
    command = ["squeue", "--noheader"]
    if shutil.which("squeue") and subprocess.run(command, check=False, capture_output=True, timeout=60).returncode == 0:
        return
    need(False, WHY)

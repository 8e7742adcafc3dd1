"""What an engine may have left behind."""

import subprocess

from ordinary_user import NAME


def engine_processes(pattern: str = "squashfuse|Apptainer runtime parent") -> list[str]:
    """The engine's processes of the user that the tests run as: images are mounted as long as one serves them."""
    command = ["pgrep", "-u", NAME, "-af", pattern]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()

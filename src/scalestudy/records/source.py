"""Which commit the program that runs is of."""

import json
import subprocess
import sys
from pathlib import Path


def built() -> dict[str, str]:
    """What containers/install wrote into the image: ``base``, ``commit``, ``lock_sha256``; empty outside of one."""
    try:
        found = json.loads((Path(sys.prefix) / "built.json").read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def commit_of(file: Path) -> str:
    """The commit of the checkout that holds a file, ``-dirty`` when tracked files were changed.

    Outside a checkout the one that the image was built from; empty where there is none.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(file.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()

    try:
        if git("ls-files", file.name):  # otherwise installed inside somebody else's checkout
            return git("rev-parse", "--short=12", "HEAD") + ("-dirty" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        pass
    return built().get("commit", "")

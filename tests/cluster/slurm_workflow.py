"""A throw-away workflow that runs on the real cluster, with every call of a SLURM command written down."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WRAPPER = """#!/bin/sh
echo "{name} $*" >> {calls}
[ ! -e {broken} ] || {{ echo "{name}: error: Unable to contact slurm controller" >&2; rm -f {once}; exit 1; }}
exec {real} "$@"
"""


class SlurmWorkflow:
    """A folder with a Snakefile, and Snakemake runs in it through the profile `slurm`."""

    def __init__(self, folder: Path, rules: str) -> None:
        self.folder, self.calls_file = folder, folder / "calls"
        self.output = folder / "output"
        self.processes: list[subprocess.Popen[bytes]] = []
        (folder / "bin").mkdir()
        (folder / "Snakefile").write_text(rules)
        for name in ("sbatch", "squeue", "scancel"):
            self._wrap(name)

    def _wrap(self, name: str) -> None:
        wrapper, broken = self.folder / "bin" / name, self.folder / f"{name}-broken"
        once = broken if name == "sbatch" else self.folder / "nothing"  # a refusal of sbatch is over after one time
        text = WRAPPER.format(name=name, calls=self.calls_file, broken=broken, once=once, real=shutil.which(name))
        wrapper.write_text(text)
        wrapper.chmod(0o755)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Snakemake in the background; its output goes to a file."""
        environment = os.environ | {
            "PATH": f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "src"),
        }
        command = [sys.executable, "-m", "snakemake", "--profile", str(ROOT / "slurm"), "--retries", "0"]
        command += ["--seconds-between-status-checks", "1", "--latency-wait", "5", *arguments]
        with self.output.open("ab") as output:
            process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=output, stderr=output, start_new_session=True
            )
        self.processes.append(process)
        return process

    def run(self, *arguments: str, timeout_s: float = 120) -> int:
        """Snakemake to its end; the exit code."""
        return self.start(*arguments).wait(timeout_s)

    def clean_up(self) -> None:
        """End what a failed test left running."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        ids = re.findall(r"(?:Submitted .* as|Took over job) (\d+)", self.said if self.output.exists() else "")
        if ids:
            subprocess.run(["scancel", "--quiet", *ids], check=False, capture_output=True)

    @property
    def said(self) -> str:
        """What all Snakemake runs in this folder printed."""
        return self.output.read_text()

    def lines(self, name: str) -> list[str]:
        """The lines of a file of the workflow; none where it does not exist."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def calls(self, name: str) -> int:
        """How often Snakemake called a SLURM command."""
        return sum(line.startswith(f"{name} ") for line in self.lines("calls"))

    def mend(self, name: str) -> None:
        """Make a broken command work again."""
        (self.folder / f"{name}-broken").unlink()

    def break_(self, name: str) -> None:
        """Make a command fail: sbatch once, the others until mended."""
        (self.folder / f"{name}-broken").touch()


def queue() -> list[str]:
    """Ids of this user's jobs that wait or run."""
    command = ["squeue", "--noheader", "--array", f"--user={os.getuid()}", "--format=%i"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def wait_until(condition: Callable[[], object], timeout_s: float = 30) -> None:
    """Wait for what must come; raises TimeoutError."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("what the test waits for did not come")
        time.sleep(0.2)

"""A throw-away workflow that runs on the real cluster, with every call of a SLURM command written down."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What a file NAME-MISHAP beside the workflow makes of a call; all but the first two come once.
WRAPPER = """#!/bin/sh
echo "{name} $(date +%s.%N)" >> {folder}/calls
mishap={folder}/{name}
[ ! -e $mishap-fails ] || {{ echo "{name}: error: Unable to contact slurm controller" >&2; exit 1; }}
[ ! -e $mishap-forgets ] || exit 0
rm $mishap-unheard 2> /dev/null && {{ {real} "$@"; touch $mishap-refuses; }}
rm $mishap-refuses 2> /dev/null && {{ echo "{name}: error: Socket timed out on send/recv operation" >&2; exit 1; }}
rm $mishap-late 2> /dev/null && {{ sleep 2; exec {real} "$@"; }}
rm $mishap-deadly 2> /dev/null && {{ {real} "$@"; kill -9 $PPID; exit; }}
exec {real} "$@"
"""

# Runs until the file `go` appears, and writes a line at each start: what runs twice is seen.
PATIENT = """
rule patient:
    output: "done"
    shell: "echo start >> starts; while [ ! -e go ]; do sleep 0.2; done; echo ok > {output}"
"""


class SlurmWorkflow:
    """A folder with a Snakefile, and Snakemake runs in it through the profile `slurm`."""

    def __init__(self, folder: Path, rules: str) -> None:
        self.folder, self.output = folder, folder / "output"
        self.retries: list[str] = ["--retries", "0"]  # none: the profile's
        self.processes: list[subprocess.Popen[bytes]] = []
        self.commands = folder / "bin"
        self.commands.mkdir(parents=True)
        (folder / "Snakefile").write_text(rules)
        for name in ("sbatch", "squeue", "scancel", "sacct"):
            wrapper = self.commands / name
            wrapper.write_text(WRAPPER.format(name=name, folder=folder, real=shutil.which(name)))
            wrapper.chmod(0o755)
        self.path = f"{self.commands}:{Path(sys.executable).parent}:{os.environ['PATH']}"

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Snakemake in the background; its output goes to a file."""
        environment = os.environ | {"PATH": self.path, "PYTHONPATH": str(ROOT / "src")}
        command = [sys.executable, "-m", "snakemake", "--profile", str(ROOT / "slurm"), *self.retries]
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

    def without(self, name: str) -> None:
        """Take a command off the PATH, as on a site that does not have it."""
        everything = self.folder / "all-commands"
        everything.mkdir()
        for program in (program for place in self.path.split(":") for program in Path(place).glob("*")):
            link = everything / program.name
            if program.name != name and not link.is_symlink():
                link.symlink_to(program)
        self.path = str(everything)

    def clean_up(self, within_s: float = 15) -> list[str]:
        """End what runs, and return the jobs that Snakemake had left in the queue and that do not end by themselves."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return end_queue(self.folder, within_s)

    def queue(self) -> list[str]:
        """Ids of this workflow's jobs that wait or run."""
        return queue(self.folder)

    @property
    def said(self) -> str:
        """What all Snakemake runs in this folder printed."""
        return self.output.read_text()

    def lines(self, name: str) -> list[str]:
        """The lines of a file of the workflow; none where it does not exist."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def calls(self, name: str) -> list[float]:
        """When Snakemake called a SLURM command."""
        return [float(line.split()[1]) for line in self.lines("calls") if line.split()[0] == name]

    def touch(self, name: str) -> None:
        """Make a file, such as `go` or a mishap."""
        (self.folder / name).touch()

    def remove(self, name: str) -> None:
        """Remove a file."""
        (self.folder / name).unlink()


def queue(folder: Path | None = None) -> list[str]:
    """Ids of the jobs that wait or run: all, or those submitted from a folder."""
    command = ["squeue", "--noheader", "--array", "--format=%i %Z"]
    rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [row.split()[0] for row in rows if folder is None or row.split()[1] == str(folder)]


def end_queue(folder: Path, within_s: float = 15) -> list[str]:
    """Cancel the jobs submitted from a folder that do not end by themselves, and return them: orphans, after a test."""
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not queue(folder), within_s)
    if orphans := queue(folder):
        subprocess.run(["scancel", *orphans], check=True)
    return orphans


def wait_until(condition: Callable[[], object], timeout_s: float = 30) -> None:
    """Wait for what must come; raises TimeoutError."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("what the test waits for did not come")
        time.sleep(0.2)

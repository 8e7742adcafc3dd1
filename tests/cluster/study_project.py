"""A project folder with a study of seconds, run through the profile `slurm` as root or as an ordinary user."""

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from quick_study import quick as short_quick
from slurm_workflow import ROOT, end_queue, queue

from scalestudy.records.events import read_events
from scalestudy.records.files import read_model
from scalestudy.records.paths import RunPaths
from scalestudy.records.result import Result

ORDINARY = "nobody"
WIDE = ("ddp", "hybrid", "hsdp")
"""The strategies on several nodes."""


def on_two_nodes(*layouts: str) -> list[Any]:
    """The strategies of the study `quick` with these layouts; 2x1 is one rank on each of two nodes."""
    wide = [{"name": name, "layouts": list(layouts)} for name in WIDE]
    return ["serial", {"name": "data_parallel", "layouts": ["1x2"]}, *wide]


def config(strategies: Sequence[Any], epochs: int = 2, train: int = 256, batch_size: int = 64) -> dict[str, Any]:
    """A study of one small network on made-up images, one seed."""
    data = {"name": "synthetic", "options": {"shape": [1, 12, 12], "classes": 4, "train": train, "test": 64}}
    net = {
        "data": data,
        "model": {"name": "mnist_cnn"},
        "optimizer": {"name": "adam", "lr": 0.01},
        "epochs": epochs,
        "batch_size": batch_size,
    }
    study = {"workloads": ["net"], "strategies": list(strategies), "seeds": [1]}
    return {
        "study": "tiny",
        "cluster": {"nodes": 2, "devices_per_node": 2},
        "workloads": {"net": net},
        "studies": {"tiny": study},
    }


def slow_in_every_step(strategies: Sequence[Any] = ("serial",), epochs: int = 8) -> dict[str, Any]:
    """Runs of 16 steps of 0.5 s an epoch: eight are more than two jobs get done in the half of their minute that is not
    for saving."""
    study = config(strategies, epochs=epochs, train=64, batch_size=4)
    study["workloads"]["net"]["model"]["name"] = "slow_models:SlowInEveryStep"
    return study


def quick(strategies: Sequence[Any] = ()) -> dict[str, Any]:
    """The study `quick` of config.yaml, but with fewer images and epochs and one seed; or with other strategies."""
    loaded = short_quick()
    if strategies:
        loaded["studies"]["quick"]["strategies"] = list(strategies)
    return loaded


class Project:
    """The workflow, the profile and a configuration in a folder that the user owns."""

    def __init__(self, folder: Path, study: dict[str, Any], user: str = "root", python: str = sys.executable) -> None:
        self.folder, self.python = folder, python
        self.name: str = study["study"]
        self.workload: str = study["studies"][self.name]["workloads"][0]
        self.account = pwd.getpwnam(user)
        self.output = folder / "output"
        self.processes: list[subprocess.Popen[bytes]] = []
        # The Python of an ordinary user has its own library: the place that it was built for, root alone may read.
        library = str(Path(python).resolve().parents[1] / "lib")
        here = python == sys.executable
        self.variables = {"PYTHONPATH": str(ROOT / "src")} if here else {"LD_LIBRARY_PATH": library}
        self.peak_mib = 0.0
        folder.mkdir(exist_ok=True)
        shutil.copy(ROOT / "Snakefile", folder)
        for part in ("workflow", "slurm"):
            shutil.copytree(ROOT / part, folder / part, dirs_exist_ok=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(study))
        for path in (folder, *folder.rglob("*")):
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Snakemake in the background."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("SNAKEMAKE", "PYTHONPATH"))}
        environment = kept | self.variables | {"HOME": str(self.folder), "XDG_CACHE_HOME": str(self.folder / ".cache")}
        command = [self.python, "-m", "snakemake", "--profile", "slurm", "--seconds-between-status-checks", "1"]
        with self.output.open("ab") as output:
            process = subprocess.Popen(
                [*command, *arguments],
                cwd=self.folder,
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
                user=self.account.pw_uid,
                group=self.account.pw_gid,
                extra_groups=[],
            )
        self.processes.append(process)
        return process

    def run(self, *arguments: str, timeout_s: float = 900) -> int:
        """Snakemake to its end; the exit code."""
        process, end = self.start(*arguments), time.monotonic() + timeout_s
        while process.poll() is None:
            assert time.monotonic() < end, f"Snakemake took more than {timeout_s:g} s"
            with contextlib.suppress(OSError, IndexError):
                status = Path(f"/proc/{process.pid}/status").read_text()
                self.peak_mib = max(self.peak_mib, int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024)
            time.sleep(0.1)
        return int(process.returncode)

    def interrupt(self, process: subprocess.Popen[bytes]) -> None:
        """Ctrl-C, and wait for the end."""
        process.send_signal(signal.SIGINT)
        process.wait(90)

    @property
    def said(self) -> str:
        """What all Snakemake runs of the project printed."""
        return self.output.read_text()

    def paths(self, cell: str, workload: str = "") -> RunPaths:
        """The folder of a run by its strategy and layout; of the first workload, unless another is named."""
        runs = self.folder / "results" / self.name / "runs"
        return RunPaths(runs / (workload or self.workload) / "epoch" / cell / "seed1")

    def result(self, cell: str, workload: str = "") -> Result:
        """What came of a run."""
        return read_model(self.paths(cell, workload).result, Result)

    def events(self, cell: str, name: str) -> list[dict[str, Any]]:
        """What rank 0 wrote down under this name so far."""
        path = self.paths(cell).events(0)
        return [event for event in read_events(path)[0] if event["event"] == name] if path.exists() else []

    def starts(self, cell: str) -> list[dict[str, Any]]:
        """The starts of a run, rank 0's."""
        return self.events(cell, "start")

    def report(self) -> dict[str, Any]:
        """The report's numbers."""
        data: dict[str, Any] = json.loads((self.folder / "results" / self.name / "report.json").read_text())
        return data

    def finished(self) -> dict[str, Any]:
        """The report's numbers of a study that came to its end: no run of it was lost, and none was trained twice at
        once; its PDF and its HTML are there, and the queue is empty."""
        report = self.report()
        assert report["counts"]["completed"] == report["counts"]["planned"] > 0
        logs = list((self.folder / "results" / self.name / "runs").rglob("rank*.jsonl"))
        assert len(logs) >= report["counts"]["planned"]
        assert [log for log in logs if trained_twice_at_once(log)] == []
        assert (self.folder / f"reports/{self.name}/report.pdf").read_bytes().startswith(b"%PDF-")
        assert (self.folder / f"reports/{self.name}/report.html").exists(), self.said
        assert not queue(self.folder)
        return report

    def clean_up(self) -> list[str]:
        """End what a failed test left running; returns the jobs that Snakemake had left in the queue."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return end_queue(self.folder)


@contextlib.contextmanager
def projects(folder: Path) -> Iterator[Callable[..., Project]]:
    """Makes projects in the folder; none may leave a job in the queue."""
    made: list[Project] = []

    def make(*arguments: Any, **options: Any) -> Project:
        made.append(Project(folder / f"project{len(made)}", *arguments, **options))
        return made[-1]

    try:
        yield make
    finally:
        for one in made:
            if one.output.exists():
                print(one.said[-6000:])  # pytest shows it when the test failed
        left = [one.clean_up() for one in made]
    assert left == [[]] * len(made)


def trained_twice_at_once(log: Path) -> bool:
    """Whether two processes wrote a rank's lines at once: one of them then repeats an epoch, or leaves one out, without
    a start or a resumption before it."""
    expected = 0
    for event in read_events(log)[0]:
        if event["event"] in ("start", "resume"):
            expected = event.get("epoch", 0)
        elif event["event"] == "epoch":
            if event["epoch"] != expected:
                return True
            expected += 1
    return False


def wait_for(condition: Any, what: str, timeout_s: float = 120) -> None:
    """Wait for what must come; raises TimeoutError that names it."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come within {timeout_s:g} s")
        time.sleep(0.1)


def readable_python(folder: Path) -> str:
    """A Python with everything that this one has, in a place that every user can read: files are linked, not copied."""
    base, packages = Path(sys.base_prefix), folder / "venv/lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    here = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    if not all(path.stat().st_mode & 0o005 == 0o005 for path in (base, *base.parents)):
        base = folder / "base"
        _link(Path(sys.base_prefix), base)
    interpreter = base / "bin" / Path(os.path.realpath(sys.executable)).name
    subprocess.run([interpreter, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    packages.rmdir()
    _link(here, packages)
    for editable in packages.glob("*scalestudy*.pth"):
        editable.unlink()
    for package in ("scalestudy", "snakemake_executor_plugin_submitit", "submitit_ranks"):
        _link(ROOT / "src" / package, packages / package)
    script = folder / "venv/bin/scalestudy"
    # As an installer writes it: what is spawned imports the script, and must not run it.
    lines = ["import sys", "from scalestudy.cli import main", "if __name__ == '__main__':", "    sys.exit(main())"]
    script.write_text("\n".join([f"#!{folder}/venv/bin/python", *lines, ""]))
    script.chmod(0o755)
    return str(folder / "venv/bin/python")


def _link(source: Path, target: Path) -> None:
    if subprocess.run(["cp", "-rlL", source, target], check=False, capture_output=True).returncode:  # other disk
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run(["cp", "-rL", source, target], check=True)

"""A copy of the project as a user has it, and commands in it."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml
from ordinary_user import CERTIFICATES, ROOT, OrdinaryUser

NET: dict[str, Any] = {
    "data": {"name": "synthetic", "options": {"shape": [1, 12, 12], "classes": 4, "train": 256, "test": 64}},
    "model": {"name": "mnist_cnn"},
    "optimizer": {"name": "adam", "lr": 0.01},
    "epochs": 2,
}

OPTIONS: dict[str, dict[str, Any]] = {
    "apptainer": {},
    "podman": {"run_options": ["--ulimit=host", "--ipc=private", "--shm-size=1g"]},
    "docker": {},
}
"""Of each engine here: podman is to do without root's right to raise limits and without /dev/mqueue, which small
virtual machines lack.
"""
AUTHOR = ("-c", "user.name=scalestudy", "-c", "user.email=scalestudy@localhost")


def tiny(**changes: Any) -> dict[str, Any]:
    """A configuration with one run of seconds, for what has nothing to do with what is trained."""
    return {
        "study": "tiny",
        "machine": {"device": "cpu", "devices_per_node": 2, "oversubscribe": True},
        "cluster": {"nodes": 2, "devices_per_node": 2},
        "workloads": {"net": NET | changes},
        "studies": {"tiny": {"workloads": ["net"], "strategies": ["serial"], "seeds": [1]}},
    }


class StudyFolder:
    """What is under version control, copied into a checkout with one commit, and commands in it."""

    def __init__(self, folder: Path, user: OrdinaryUser) -> None:
        self.folder, self.user, self.study = folder, user, ""
        names = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\n")
        for name in filter(None, names):
            if (ROOT / name).is_file() and not name.startswith(("tests/", "docs/", "reports/")):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        user.own(folder)
        (folder / "config.yaml").unlink()  # each test has its own, and leaves the checkout as it was committed
        for words in (("init", "--quiet"), ("add", "."), (*AUTHOR, "commit", "--quiet", "--message=The project")):
            user.must("git", *words, folder=folder)
        self.commit = user.must("git", "rev-parse", "--short=12", "HEAD", folder=folder).strip()

    def configure(self, container: dict[str, Any], config: dict[str, Any] | None = None) -> None:
        """Write config.yaml: this configuration, or a tiny one, in this container."""
        config = config or tiny()
        self.study = config["study"]
        certificates = {"certificates": str(CERTIFICATES)} if CERTIFICATES.exists() else {}
        text = yaml.safe_dump(config | {"container": certificates | container})
        (self.folder / "config.yaml").write_text(text)

    def snakemake(self, *arguments: object, **environment: object) -> subprocess.CompletedProcess[str]:
        """The workflow in this folder."""
        return self.user.run("snakemake", "--cores", "2", *arguments, folder=self.folder, **environment)

    def scalestudy(self, *arguments: object, **environment: object) -> subprocess.CompletedProcess[str]:
        """One command of the command line in this folder."""
        return self.user.run("scalestudy", *arguments, folder=self.folder, **environment)

    def json(self, name: str) -> Any:
        """A record."""
        return json.loads((self.folder / name).read_text())

    def run(self, name: str) -> str:
        """The folder of a run, seen from this one: ``WORKLOAD/epoch/STRATEGY-NxD``."""
        return f"results/{self.study}/runs/{name}/seed1"

    def results(self) -> dict[str, dict[str, Any]]:
        """All results of the study, by run."""
        runs = self.folder / "results" / self.study / "runs"
        return {
            str(path.parent.parent.relative_to(runs)): json.loads(path.read_text())
            for path in runs.glob("*/*/*/*/result.json")
        }

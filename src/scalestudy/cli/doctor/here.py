"""Checks of the machine that the doctor is called on."""

import importlib.util
import shutil
from collections.abc import Iterator

from scalestudy.cli.doctor.finding import Finding, note, ok, wrong
from scalestudy.container.engines import ENGINES
from scalestudy.records.machine import count_gpus

NEEDED = {
    "sbatch": "submits the runs",
    "squeue": "says what became of them",
    "scancel": "cancels them",
    "srun": "starts their ranks",
}


def slurm_is_here() -> bool:
    """Whether any command of SLURM is found."""
    return any(shutil.which(name) for name in NEEDED)


def check_commands() -> Iterator[Finding]:
    """The commands of SLURM that the executor uses."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    for name in missing:
        yield wrong("commands", f"{name} is not found, which {NEEDED[name]}; load SLURM's module or mend PATH")
    if not missing:
        yield ok("commands", ", ".join(NEEDED))
    if shutil.which("sacct") is None:
        yield note("sacct", "is not found; how a job ended is then read from squeue and the job's own files")


def check_engine(name: str) -> Iterator[Finding]:
    """The container engine that the configuration names: images are made where the study is started."""
    if name == "none":
        found = [engine for engine, facts in ENGINES.items() if facts.installed()]
        here = f"; here is {', '.join(found)}" if found else ""
        yield note("container engine", f"container.engine is none: runs use this Python environment{here}")
    elif ENGINES[name].installed():
        yield ok("container engine", f"{name} is here")
    else:
        yield wrong(
            "container engine", f"{name} is not found here, where its image is made; load its module, or mend PATH"
        )


def check_gpus() -> Iterator[Finding]:
    """GPUs of this machine."""
    gpus = count_gpus()
    text = f"{gpus} here" if gpus else "none here; CPU cores are the devices"
    yield ok("GPUs", text) if gpus else note("GPUs", text)


def check_training() -> Iterator[Finding]:
    """What training imports."""
    missing = [name for name in ("torch", "torchvision") if importlib.util.find_spec(name) is None]
    if missing:
        yield wrong("training", f"{' and '.join(missing)} cannot be imported; run `make install`, or use a container")
    else:
        yield ok("training", "torch and torchvision are installed")

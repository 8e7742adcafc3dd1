"""What takes a minute or more, and mostly waits: it runs beside the quick tests."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from slurm_workflow import PATIENT, ROOT, SlurmWorkflow, wait_until
from study_project import Project, slow_in_every_step

LIMITED = """
rule limited:
    output: "done"
    resources: runtime=1, slurm_extra="--nodelist=n1"
    shell: "echo start >> starts; if [ $(wc -l < starts) -lt 3 ]; then exec sleep 300; fi; touch {output}"
"""


@dataclass(frozen=True)
class Beside:
    """Three workflows, each in a folder of its own."""

    limited: SlurmWorkflow
    """A job that reaches its time limit twice. SLURM counts in minutes, and looks for such jobs every 30 s."""
    deaf: SlurmWorkflow
    """A job whose Snakemake gets no answer from squeue."""
    stopped: Project
    """A study whose run saves and stops before its time limit, twice."""


def started(folder: Callable[[str], Path]) -> Beside:
    """All of them, running."""
    made = Beside(
        SlurmWorkflow(folder("limited"), LIMITED),
        SlurmWorkflow(folder("deaf"), PATIENT),
        Project(folder("stopped"), slow_in_every_step()),
    )
    made.limited.start("--retries", "3")
    shutil.copy(ROOT / "tests/slow_models.py", made.stopped.folder)
    # Not on a node that a test fails, and not alone there: others need it, too.
    asked = ["train:runtime=1 if attempt < 3 else 10", "train:slurm_extra='--nodelist=n2'"]
    made.stopped.start("--set-resources", *asked)
    made.deaf.start()
    wait_until(lambda: made.deaf.lines("starts"), 60)
    made.deaf.touch("squeue-fails")
    return made

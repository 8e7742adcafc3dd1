"""Where jobs run on a cluster: SLURM, through submitit and its own commands."""

import contextlib
import io
import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from submitit_ranks.cluster import Cluster
from submitit_ranks.ending import HOPELESS, JobState
from submitit_ranks.errors import Busy, NotSubmitted, TooMany
from submitit_ranks.rank import Task

TOO_MANY = re.compile(r"submit.?(job.?)?limit|MaxSubmit|job array", re.I)
"""What sbatch says at a limit: (job submit limit), QOSMaxSubmitJobPerUserLimit, Invalid job array specification."""
BUSY = re.compile(
    r"unable to contact|timed out|zero bytes|connect|communicat|(send|receive) failure|standby mode|temporar|try again"
    r"|authentication|configuration source|error writing|without a word|retry later|MaxJobCount",
    re.I,
)
"""What it says when another call may succeed. All else is a refusal."""
OF_A_JOB = re.compile(r"SLURM_(?!(CONF|CONF_SERVER|CLUSTERS|JWT|SACK_\w+)$)")
"""Variables that a job has of itself; the others say how the cluster is reached."""
AROUND = "_".join(filter(None, map(os.environ.get, ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"))))
AROUND = AROUND or os.environ.get("SLURM_JOB_ID", "")
"""The job in which this program runs, as squeue names it; read at once, since `submit` takes variables away."""
MEMORY, GPUS = ("MEM_PER_NODE", "MEM_PER_CPU", "MEM_PER_GPU"), ("GRES", "GPUS", "GPUS_PER_NODE", "GPUS_PER_TASK")
VARIABLES = {"time": ("TIMELIMIT",), "mem": MEMORY, "mem-per-cpu": MEMORY, "gres": GPUS, "gpus-per-node": GPUS}
"""What SBATCH_... is called that stands for an option, or excludes it, where it is not its name alone; such a variable
would beat what the script says.
"""


class Slurm(Cluster):
    """SLURM: sbatch through submitit, and squeue, sacct and scancel."""

    name = "slurm"
    ends = "scancel"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        # SQUEUE_PARTITION leaves jobs out, SCANCEL_INTERACTIVE asks back: they are for terminals.
        plain = (name for name in os.environ if not name.startswith(("SQUEUE_", "SACCT_", "SCANCEL_")))
        self.environment = {name: os.environ[name] for name in plain}

    def submit(self, tasks: Sequence[Task]) -> list[Any]:
        """One sbatch. Raises TooMany at a limit of the site, and Busy where another call may succeed."""
        named = tasks[0].parameters["slurm"].get("additional_parameters", ())
        others = [name for one in named for name in VARIABLES.get(one, (one.upper().replace("-", "_"),))]
        beaten = {f"SBATCH_{name}" for name in (*others, "OUTPUT", "ERROR", "EXPORT", "ARRAY_INX")}
        around = of_this_job() | {name: os.environ[name] for name in beaten & os.environ.keys()}
        for name in around:
            del os.environ[name]
        try:
            with contextlib.redirect_stderr(io.StringIO()):  # submitit prints what sbatch says, besides raising it
                return super().submit(tasks)
        except RuntimeError as error:
            said = str(error).strip() or "sbatch failed without a word"
            # Without what the site's own wrapper of it has to say.
            lines = [line for line in said.splitlines() if line.startswith("sbatch: ")] or said.splitlines()
        finally:
            os.environ.update(around)
        for path in self.folder.glob("[0-9a-f]" * 32 + ".pkl"):  # named when it is submitted
            path.unlink()
        # "job submit limit" SLURM says of what one job may have, too.
        said, limit = "; ".join(lines), any(map(TOO_MANY.search, lines)) and not any(map(HOPELESS.search, lines))
        raise (TooMany if limit else Busy if BUSY.search(lines[-1]) else NotSubmitted)(f"not submitted: {said}")

    def states(self, names: Iterable[str]) -> dict[str, JobState] | None:
        """One squeue for all jobs of this user; sacct for what it has forgotten, where there is a sacct."""
        fields = "JobArrayID:|,State:|,exit_code:|,NodeList:|,Reason:|,Partition:|,STDOUT:|"  # which may hold anything
        try:
            # --all: partitions that are hidden from users, who may have jobs there
            command = f"squeue --all --array --states=all --noheader --user={os.getuid()} -O {fields}"
            rows = self._table(7, *command.split())
        except (OSError, subprocess.SubprocessError):
            return None
        found = {name: JobState(state, _exit(code), *facts) for name, state, code, *facts in rows}
        if forgotten := ",".join(name for name in names if name not in found):
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                rows = self._table(4, "sacct", "-X", "-n", "-P", "-o", "JobID,State,ExitCode,NodeList", "-j", forgotten)
                ended = {name: JobState(state.split()[0], _exit(code), nodes) for name, state, code, nodes in rows}
                found |= {name: state for name, state in ended.items() if state.over}  # else slurmctld lost it
        found.pop(AROUND, None)  # it makes no room by ending
        return found

    def cancel(self, ids: Sequence[str]) -> None:
        """One scancel, which asks slurmctld once for each array; sites limit how often one may."""
        arrays: dict[str, list[str]] = defaultdict(list)
        for job, _, task in (name.partition("_") for name in ids):
            arrays[job].append(task)
        if ids:
            jobs = (f"{job}_[{','.join(tasks)}]" if any(tasks) else job for job, tasks in arrays.items())
            self._table(1, self.ends, "--quiet", *jobs)

    def _table(self, columns: int, *command: str) -> list[list[str]]:
        """The rows of a command's output, without what is none.

        Raises OSError or SubprocessError when the command is missing, fails or takes too long.
        """
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, errors="replace", timeout=60, check=True
        )
        rows = [line.split("|", columns - 1) for line in done.stdout.split("\n")]
        return [row for row in rows if len(row) == columns and all(cell.strip() for cell in row[:2])]


def of_this_job() -> dict[str, str]:
    """Variables of the job in which this program runs: sbatch and srun would take them for wishes of the new one."""
    return {name: value for name, value in os.environ.items() if "SLURM_JOB_ID" in os.environ and OF_A_JOB.match(name)}


def _exit(code: str) -> str:
    """How a job ended, by a wait status (256), as squeue writes it, or by sacct's code and signal (1:0)."""
    status, _, number = (f"{int(code) >> 8}:{int(code) & 127}" if code.isdigit() else code).partition(":")
    return f"signal {number}" if number not in ("", "0") else f"exit code {status}" if status != "0" else ""

"""What a Snakemake job asks for: its command, and its resources in the words of sbatch."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from snakemake.settings.types import DeploymentMethod
from snakemake.shell import shell


class RefusedJob(Exception):
    """A job that this executor cannot run; the message says which part of the rule it is."""


@dataclass(frozen=True)
class Request:
    """One job: what each rank is told, and the sbatch parameters. Requests with equal parameters form an array."""

    task: dict[str, Any]
    """The arguments of ``rank.run_rank``."""
    parameters: dict[str, Any] = field(default_factory=dict)
    """The parameters of submitit's SlurmExecutor."""

    @property
    def ranks(self) -> int:
        """How many processes run the command: nodes x tasks per node."""
        return int(self.parameters["nodes"]) * int(self.parameters["ntasks_per_node"])


REFUSED: dict[str, Callable[[Any], object]] = {
    "group": lambda job: job.is_group(),
    "script": lambda job: job.is_script,
    "notebook": lambda job: job.is_notebook,
    "wrapper": lambda job: job.is_wrapper,
    "cwl": lambda job: job.is_cwl,
    "template_engine": lambda job: job.is_template_engine,
    "run": lambda job: job.is_run,
    "benchmark": lambda job: job.benchmark,
    "shadow": lambda job: job.is_shadow,
    "cache": lambda job: getattr(job.rule.cache, "output", False),
    "pipe() or service() output": lambda job: job.is_pipe or job.is_service,
    "conda": lambda job: _deploys(job, DeploymentMethod.CONDA) and job.conda_env,
    "container": lambda job: _deploys(job, DeploymentMethod.APPTAINER) and job.container_img_url,
    "envmodules": lambda job: _deploys(job, DeploymentMethod.ENV_MODULES) and job.env_modules,
}
"""What only the Snakemake on a node could do; here the shell command runs without one."""

SBATCH: dict[str, tuple[str, Callable[[Any], object]]] = {
    "slurm_partition": ("partition", str),
    "slurm_account": ("account", str),
    "qos": ("qos", str),
    "constraint": ("constraint", str),
    "runtime": ("time", int),
    "mem_mb": ("mem", lambda mb: f"{mb}MB"),
    "mem_mb_per_cpu": ("mem_per_cpu", lambda mb: f"{mb}MB"),
    "gres": ("gres", str),
    "gpu": ("gpus_per_node", str),
}
"""Resource -> sbatch option and how its value is written. ``gpu`` counts the GPUs of each node."""


def request_of(job: Any, workdir: str) -> Request:
    """The request of a job; raises RefusedJob, naming the rule and the part of it that cannot run here."""
    for name, present in REFUSED.items():
        if present(job):
            where = f"rule {job.name}" if name != "group" else f"group {job.groupid}"
            raise RefusedJob(
                f"{where}: the executor submitit cannot run `{name}`; use `shell:`, or make it a localrule"
            )
    threads = int(job.resources.get("cpus_per_task", job.threads))
    program = job.resources.get("shell_exec") or shell.get_executable() or "/bin/sh"
    parts = (shell._get_process_prefix(program), job.shellcmd or ":", shell._process_suffix)
    command = " ".join(part for part in parts if part).strip()
    task = {"command": command, "shell": program, "workdir": workdir, "threads": threads}
    return Request(task | {"runtime_min": job.resources.get("runtime")}, _parameters(job, threads))


def _parameters(job: Any, threads: int) -> dict[str, Any]:
    asked = job.resources
    options: dict[str, Any] = {
        "time": None,  # the partition's default, not submitit's 5 minutes
        "wckey": None,
        "job_name": job.name,
        "nodes": int(asked.get("nodes", 1)),
        "ntasks_per_node": int(asked.get("tasks_per_node", 1)),
        "cpus_per_task": threads,
        # srun no longer inherits it (22.05), and without --kill-on-bad-exit the other ranks wait for a dead one.
        "srun_args": [f"--cpus-per-task={threads}", "--kill-on-bad-exit=1"],
    }
    options |= {
        key: write(asked[name]) for name, (key, write) in SBATCH.items() if asked.get(name) not in (None, "", 0)
    }
    if setup := asked.get("slurm_setup"):
        options["setup"] = str(setup).splitlines()
    # submitit has SIGUSR2 sent to every process before the end, which ends most of them: the batch shell gets a
    # harmless signal instead, and ranks read JOB_DEADLINE.
    options["additional_parameters"] = {"signal": "B:CONT@1"} | _extra_options(
        job.name, str(asked.get("slurm_extra", ""))
    )
    return options


def _extra_options(rule: str, text: str) -> dict[str, Any]:
    """``--exclusive --mail-type=END`` as a dict; raises RefusedJob where it is not of that form."""
    words = shlex.split(text[1:-1] if text[:1] == text[-1:] == "'" else text)
    if wrong := [word for word in words if not word.startswith("--")]:
        raise RefusedJob(f"rule {rule}: slurm_extra has {wrong[0]!r}; write every option as --name or --name=value")
    pairs = (word[2:].partition("=") for word in words)
    return {name: value if separator else True for name, separator, value in pairs}


def _deploys(job: Any, method: DeploymentMethod) -> bool:
    return method in job.rule.workflow.deployment_settings.deployment_method

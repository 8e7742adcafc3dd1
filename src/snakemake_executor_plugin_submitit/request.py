"""What a Snakemake job asks for: ranks, threads, time, and what is refused; the resources go to ``sbatch_options``."""

import sys
from pathlib import Path
from typing import Any

from snakemake.settings.types import DeploymentMethod
from snakemake.shell import shell

from submitit_ranks.errors import NotSubmitted
from submitit_ranks.options import sbatch_options
from submitit_ranks.rank import Task

KINDS = ("script", "notebook", "wrapper", "cwl", "template_engine", "run", "shadow", "pipe", "service")
UNKNOWN = ("mpi", "clusters", "cluster", "slurm_cluster", "cpus_per_gpu", "tasks_per_gpu")
"""Resources of snakemake-executor-plugin-slurm that mean nothing here."""
COUNTS = {"nodes": 1, "tasks": 1, "tasks_per_node": 1, "cpus_per_task": 1, "gpu": 0}
"""Resources that are whole numbers, and the least that they can be."""
PLAIN = (str, int, float, list, tuple, dict, type(None))
"""Params that look alike in every process."""


def task_of(job: Any) -> Task:
    """What a job asks for; raises NotSubmitted, naming the rule and the part of it that cannot run here."""
    where = f"group {job.groupid}" if job.is_group() else f"rule {job.name}"
    if part := _refused(job):
        raise NotSubmitted(f"{where}: the executor submitit cannot run `{part}`; use `shell:`, or make it a localrule")
    asked = {name: value for name, value in job.resources.items() if value not in (None, "")}
    nodes, tasks_per_node = _ranks(where, asked)
    ranks, threads = nodes * tasks_per_node, int(asked.get("cpus_per_task", job.threads))
    limit_min = asked.get("runtime")
    slurm = {
        "job_name": job.name,
        "nodes": nodes,
        "ntasks_per_node": tasks_per_node,
        "cpus_per_task": threads,
        # srun no longer inherits it (22.05), and without --kill-on-bad-exit the other ranks wait for a dead one.
        "srun_args": [f"--cpus-per-task={threads}", "--kill-on-bad-exit=1"],
        # When it began: ranks may start much later.
        "setup": ["export JOB_STARTED=$(date +%s)", *str(asked.get("slurm_setup", "")).splitlines()],
        "time": None,  # the partition's default, not submitit's 5 minutes
        "wckey": None,
        "array_parallelism": sys.maxsize,
        "additional_parameters": sbatch_options(where, asked),
    }
    gpus = nodes * int(asked.get("gpu", 0))
    local = {"tasks_per_node": ranks, "gpus_per_node": gpus, "timeout_min": limit_min or 60 * 24 * 365}
    program = asked.get("shell_exec") or shell.get_executable() or "/bin/sh"
    script = f"{shell._get_process_prefix(program)} {job.shellcmd or ':'} {shell._process_suffix}".strip()
    key = tuple(str(Path(path).absolute()) for path in job.output) or (script,)
    signature = repr([param for param in job.non_derived_params if isinstance(param, PLAIN)])
    inputs = tuple((str(f), Path(f).stat().st_mtime_ns, not f.is_ancient) for f in job.input if Path(f).is_file())
    parameters: dict[str, dict[str, Any]] = {"slurm": slurm, "local": local, "debug": {}}
    return Task(key, (program, "-c", script), signature, ranks, threads, limit_min, parameters, inputs)


def _ranks(where: str, asked: dict[str, Any]) -> tuple[int, int]:
    """Nodes, and ranks of each; raises NotSubmitted for numbers that are none, and where nodes would differ."""
    for name, least in COUNTS.items():
        if not str(value := asked.get(name, least)).isdecimal() or int(value) < least:
            raise NotSubmitted(f"{where}: {name} is {value!r}; it takes a whole number from {least} on")
    nodes = int(asked.get("nodes", 1))
    tasks = int(asked.get("tasks", nodes))
    tasks_per_node = int(asked.get("tasks_per_node", tasks // nodes))
    if not tasks_per_node or ("tasks" in asked and tasks != nodes * tasks_per_node):
        raise NotSubmitted(f"{where}: {tasks} tasks on {nodes} nodes; every node takes equally many")
    return nodes, tasks_per_node


def _refused(job: Any) -> str | None:
    """The part of a rule that only a Snakemake on the node could do: here the shell command runs without one."""
    if job.is_group():
        return "group"
    methods = job.rule.workflow.deployment_settings.deployment_method
    parts = {kind: getattr(job, f"is_{kind}") for kind in KINDS} | {
        "benchmark": job.benchmark,
        "resources.tmpdir": "<TBD>" in (job.shellcmd or ""),  # which Snakemake fills in where it runs
        "cache": getattr(job.rule.cache, "output", False),
        "conda": DeploymentMethod.CONDA in methods and job.conda_env,
        "container": DeploymentMethod.APPTAINER in methods and job.container_img_url,
        "envmodules": DeploymentMethod.ENV_MODULES in methods and job.env_modules,
    }
    parts |= {f"resources: {name}": job.resources.get(name) for name in UNKNOWN}
    return next((part for part, present in parts.items() if present), None)

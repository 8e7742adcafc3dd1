"""What a Snakemake job asks for, as a task; and what is refused."""

from pathlib import Path
from typing import Any

from snakemake.settings.types import DeploymentMethod
from snakemake.shell import shell

from submitit_ranks.errors import NotSubmitted
from submitit_ranks.options import parameters_of, ranks_of
from submitit_ranks.rank import Task

KINDS = ("script", "notebook", "wrapper", "cwl", "template_engine", "run", "shadow", "pipe", "service")
UNKNOWN = ("mpi", "clusters", "cluster", "slurm_cluster", "cpus_per_gpu", "tasks_per_gpu")
"""Resources of snakemake-executor-plugin-slurm that mean nothing here."""
PLAIN = (str, int, float, list, tuple, dict, type(None))
"""Params that look alike in every process."""


def task_of(job: Any) -> Task:
    """What a job asks for; raises NotSubmitted, naming the rule and the part of it that cannot run here."""
    where = f"group {job.groupid}" if job.is_group() else f"rule {job.name}"
    if part := _refused(job):
        raise NotSubmitted(f"{where}: the executor submitit cannot run `{part}`; use `shell:`, or make it a localrule")
    asked = {name: value for name, value in job.resources.items() if value not in (None, "")}
    nodes, ranks = ranks_of(where, asked)
    threads, limit_min = int(asked.get("cpus_per_task", job.threads)), asked.get("runtime")
    program = asked.get("shell_exec") or shell.get_executable() or "/bin/sh"
    script = f"{shell._get_process_prefix(program)} {job.shellcmd or ':'} {shell._process_suffix}".strip()
    key = tuple(str(Path(path).absolute()) for path in job.output) or (script,)
    signature = repr([param for param in job.non_derived_params if isinstance(param, PLAIN)])
    inputs = tuple((str(f), Path(f).stat().st_mtime_ns, not f.is_ancient) for f in job.input if Path(f).is_file())
    parameters = parameters_of(where, job.name, nodes, ranks, threads, asked)
    return Task(key, (program, "-c", script), signature, ranks, threads, limit_min, parameters, inputs)


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

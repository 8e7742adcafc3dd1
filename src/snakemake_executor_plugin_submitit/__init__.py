"""Snakemake executor ``submitit``: the shell command of a rule as a SLURM job, on one rank or on many.

All jobs that are ready are submitted together, alike ones as one array; docs/slurm-executor.md tells the rest.
"""

from dataclasses import dataclass, field
from typing import Optional

from snakemake_interface_executor_plugins.settings import CommonSettings, ExecutorSettingsBase

from snakemake_executor_plugin_submitit.executor import SubmititExecutor as Executor

__all__ = ["Executor", "ExecutorSettings", "common_settings"]


@dataclass
class ExecutorSettings(ExecutorSettingsBase):  # type: ignore[misc]  # the interface has no types
    """What the command line offers as ``--submitit-...``."""

    cluster: Optional[str] = field(  # noqa: UP045  (the interface understands no other spelling)
        default="slurm",
        metadata={"help": "Where jobs run: slurm, local (processes on this machine) or debug (in this process)."},
    )
    logdir: Optional[str] = field(  # noqa: UP045
        default=None,
        metadata={"help": "Folder, seen from all nodes, for logs and submitit's files (default .snakemake/submitit)."},
    )


common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    init_seconds_before_status_checks=1,
)

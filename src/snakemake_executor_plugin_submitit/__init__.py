"""Snakemake executor ``submitit``: shell commands of rules as SLURM jobs, on one rank or on many.

How it submits, watches, takes over and cancels: docs/slurm-executor.md.
"""

from dataclasses import dataclass, field
from typing import Optional

from snakemake_interface_executor_plugins.settings import CommonSettings, ExecutorSettingsBase

from snakemake_executor_plugin_submitit.executor import SubmititExecutor as Executor
from submitit_ranks import CLUSTERS

__all__ = ["Executor", "ExecutorSettings", "common_settings"]
CLUSTER = "Where jobs run: on a SLURM cluster, in processes of this machine, or (debug) in this very process."


@dataclass
class ExecutorSettings(ExecutorSettingsBase):  # type: ignore[misc]  # the interface has no types
    """What the command line offers as ``--submitit-...``; the interface understands no other spelling of types."""

    cluster: Optional[str] = field(default="slurm", metadata={"help": CLUSTER, "choices": list(CLUSTERS)})  # noqa: UP045


common_settings = CommonSettings(
    non_local_exec=True, implies_no_shared_fs=False, job_deploy_sources=False, init_seconds_before_status_checks=1
)

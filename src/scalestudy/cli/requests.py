"""What a job asks of a scheduler: the resources of the rules that train."""

from scalestudy.spec.run import Run, Study

PARITY_RANKS = 4
"""The parity check starts so many at least; they share what they have imported."""

PROCESS_MEMORY_MB = {"cpu": 2000, "cuda": 8000}
"""Main memory of one training process; the data set lies beside it, once per node."""

PARITY_MEMORY_MB = {"cpu": (2000, 600), "cuda": (4000, 250)}
"""Of a rank of the parity check that has a device of the node, and of one beyond them. On CPU nodes the MNIST CNN took
1250 MB with 64 images in float64; 690 MB of them are shared, which SLURM with control groups counts once."""


def of_run(run: Run, cores: int | None = None) -> dict[str, int]:
    """Nodes, and what each node gives: ranks, cores of each, memory in MB, GPUs.

    ``cores``: all of a machine where no other job may run beside this one, since two would disturb each other's times.
    """
    ranks = run.processes_per_node
    return {
        "nodes": run.cell.nodes,
        "tasks_per_node": ranks,
        "cpus_per_task": cores or run.cell.devices_per_node // ranks * run.cores_per_device,
        "mem_mb": ranks * PROCESS_MEMORY_MB[run.device],
        "gpu": run.cell.devices_per_node if run.device == "cuda" else 0,
    }


def of_parity(study: Study, cores: int | None = None) -> dict[str, int]:
    """The same for the parity check: one process on one node, which starts the ranks of each strategy in turn."""
    asked = [of_run(run) for run in study.runs]
    ranks = max(PARITY_RANKS, *(run.processes for run in study.runs))
    own = min(ranks, max(PARITY_RANKS, *(run.cell.devices_per_node for run in study.runs)))
    device_mb, further_mb = PARITY_MEMORY_MB[study.runs[0].device]
    return {
        "nodes": 1,
        "tasks_per_node": 1,
        "cpus_per_task": cores or max(one["tasks_per_node"] * one["cpus_per_task"] for one in asked),
        "mem_mb": own * device_mb + (ranks - own) * further_mb,
        "gpu": max(one["gpu"] for one in asked),
    }

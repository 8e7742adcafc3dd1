"""What a job asks for, by the resources of snakemake-executor-plugin-slurm, in the words of submitit and sbatch."""

import re
import shlex
import sys
from typing import Any

from submitit_ranks.errors import NotSubmitted

SBATCH = {
    "slurm_partition": "partition",
    "slurm_account": "account",
    "qos": "qos",
    "constraint": "constraint",
    "reservation": "reservation",
    "runtime": "time",
    "mem_mb": "mem",
    "mem_mb_per_cpu": "mem-per-cpu",
}
"""Resource -> option of sbatch, which counts in minutes and MB, too."""
COUNTS = {"nodes": 1, "tasks": 1, "tasks_per_node": 1, "cpus_per_task": 1, "gpu": 0}
"""Resources that are whole numbers, and the least that they can be."""


def ranks_of(where: str, asked: dict[str, Any]) -> tuple[int, int]:
    """Nodes, and ranks of all of them; raises NotSubmitted for numbers that are none, and where nodes would differ."""
    for name, least in COUNTS.items():
        if not str(value := asked.get(name, least)).isdecimal() or int(value) < least:
            raise NotSubmitted(f"{where}: {name} is {value!r}; it takes a whole number from {least} on")
    nodes = int(asked.get("nodes", 1))
    tasks = int(asked.get("tasks", nodes))
    tasks_per_node = int(asked.get("tasks_per_node", tasks // nodes))
    if not tasks_per_node or ("tasks" in asked and tasks != nodes * tasks_per_node):
        raise NotSubmitted(f"{where}: {tasks} tasks on {nodes} nodes; every node takes equally many")
    return nodes, nodes * tasks_per_node


def parameters_of(
    where: str, name: str, nodes: int, ranks: int, threads: int, asked: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """What submitit is told of a job, by the kind of cluster. Raises NotSubmitted as ``sbatch_options`` does."""
    slurm = {
        "job_name": name,
        "nodes": nodes,
        "ntasks_per_node": ranks // nodes,
        "cpus_per_task": threads,
        # srun no longer inherits the first (22.05). Without the second the other ranks wait for a dead one. Without the
        # third, where the user or the site has SLURM_EXPORT_ENV=NONE, no variable of the job reaches its ranks.
        "srun_args": [f"--cpus-per-task={threads}", "--kill-on-bad-exit=1", "--export=ALL"],
        # When it began: ranks may start much later.
        "setup": ["export JOB_STARTED=$(date +%s)", *str(asked.get("slurm_setup", "")).splitlines()],
        "time": None,  # the partition's default, not submitit's 5 minutes
        "wckey": None,
        "array_parallelism": sys.maxsize,
        "additional_parameters": sbatch_options(where, asked),
    }
    gpus, limit_min = nodes * int(asked.get("gpu", 0)), asked.get("runtime") or 60 * 24 * 365
    local = {"tasks_per_node": ranks, "gpus_per_node": gpus, "timeout_min": limit_min}
    return {"slurm": slurm, "local": local, "debug": {}}


def sbatch_options(where: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Options of sbatch by resources; raises NotSubmitted for a slurm_extra that says none or cannot be read."""
    options: dict[str, Any] = {option: asked[name] for name, option in SBATCH.items() if name in asked}
    if "mem-per-cpu" in options:
        options.pop("mem", None)  # mostly a default; SLURM takes only one of them
    gpus, gres = int(asked.get("gpu", 0)), str(asked.get("gres", ""))
    if gpus and not re.search(r"(^|,)(gres[:/])?gpu\b", gres):  # which sites take as the one or as the other
        options["gpus-per-node"] = f"{asked['gpu_model']}:{gpus}" if "gpu_model" in asked else gpus
    if gres and (gpus or "{gpu}" not in gres):
        options["gres"] = gres.replace("{gpu}", str(gpus))
    # submitit has SIGUSR2 sent to every process before the end, which ends most of them: the batch shell gets a
    # harmless signal instead, and ranks read JOB_DEADLINE.
    options["signal"] = "B:CONT@1"
    try:
        words = shlex.split(re.sub(r"^'([^']*)'$", r"\1", str(asked.get("slurm_extra", ""))))  # quoted as a whole
    except ValueError as mistake:
        raise NotSubmitted(f"{where}: slurm_extra: {mistake}") from None
    for word in words:
        name, has_value, value = word.removeprefix("--").partition("=")
        if name == word:
            raise NotSubmitted(f"{where}: slurm_extra has {word!r}; write every option as --name or --name=value")
        options[name] = value if has_value else True
    return options

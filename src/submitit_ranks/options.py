"""What a job asks for, in the words of sbatch."""

import re
import shlex
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


def sbatch_options(where: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Options of sbatch by resources; raises NotSubmitted for a slurm_extra that says none or cannot be read."""
    options: dict[str, Any] = {option: asked[name] for name, option in SBATCH.items() if name in asked}
    if "mem-per-cpu" in options:
        options.pop("mem", None)  # mostly Snakemake's own default; SLURM takes only one of them
    gpus, gres = int(asked.get("gpu", 0)), str(asked.get("gres", ""))
    if gpus and not re.search(r"(^|,)(gres[:/])?gpu\b", gres):  # which sites take as the one or as the other
        options["gpus-per-node"] = f"{asked['gpu_model']}:{gpus}" if "gpu_model" in asked else gpus
    if gres and (gpus or "{gpu}" not in gres):
        options["gres"] = gres.replace("{gpu}", str(gpus))
    # submitit has SIGUSR2 sent to every process before the end, which ends most of them: the batch shell gets a
    # harmless signal instead, and ranks read JOB_DEADLINE.
    options["signal"] = "B:CONT@1"
    try:
        words = shlex.split(re.sub(r"^'([^']*)'$", r"\1", str(asked.get("slurm_extra", ""))))  # quoted in the profile
    except ValueError as mistake:
        raise NotSubmitted(f"{where}: slurm_extra: {mistake}") from None
    for word in words:
        name, has_value, value = word.removeprefix("--").partition("=")
        if name == word:
            raise NotSubmitted(f"{where}: slurm_extra has {word!r}; write every option as --name or --name=value")
        options[name] = value if has_value else True
    return options

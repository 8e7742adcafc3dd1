"""Shell commands as batch jobs of one rank or many, through submitit: on SLURM, or in processes of this machine.

It submits, watches and cancels, and says how a job ended. It imports nothing of Snakemake; resources have the names of
snakemake-executor-plugin-slurm. submitit is imported only where it is used.
"""

from submitit_ranks.local import Debug, Local
from submitit_ranks.slurm import Slurm

CLUSTERS = {kind.name: kind for kind in (Slurm, Local, Debug)}
"""Where jobs can run, by name."""

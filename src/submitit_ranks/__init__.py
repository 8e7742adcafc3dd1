"""Shell commands as batch jobs of one rank or many, through submitit: on SLURM, or in processes of this machine.

It submits, watches and cancels, and says how a job ended. It knows nothing of Snakemake; whose executor
(``snakemake_executor_plugin_submitit``) and ``scalestudy doctor`` use it. Its modules import submitit only to submit.
"""

from submitit_ranks.local import Debug, Local
from submitit_ranks.slurm import Slurm

CLUSTERS = {kind.name: kind for kind in (Slurm, Local, Debug)}
"""Where jobs can run, by name."""

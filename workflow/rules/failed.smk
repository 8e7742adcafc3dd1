# `--quiet all` leaves the terminal to the runs, and would hide which job failed, too.
from snakemake.logging import logger
from snakemake.settings.enums import Quietness

from scalestudy.cli.failed_jobs import FailedJobs

if workflow.is_main_process and Quietness.ALL in (workflow.output_settings.quiet or ()):
    logger.addHandler(FailedJobs())

"""Why a job was not submitted."""

import re

OF_OTHERS = re.compile("GrpSubmit|SubmitJobsPerAccount")
"""SLURM's names of limits for which jobs of colleagues count, too."""


class NotSubmitted(Exception):
    """It cannot run, or the cluster does not take it; the message is the reason, in one line."""


class TooMany(NotSubmitted):
    """So many jobs at once the cluster does not take, or so many of one user, or (``of_others``) of an account."""

    @property
    def of_others(self) -> bool:
        """Whether room may come though no job of this user ends."""
        return bool(OF_OTHERS.search(str(self)))


class Busy(NotSubmitted):
    """The cluster does not answer, or takes no job now; perhaps it took these ones, and could not say so."""

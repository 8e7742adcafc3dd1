"""Why a job was not submitted."""


class NotSubmitted(Exception):
    """It cannot run, or the cluster does not take it; the message is the reason, in one line."""


class TooMany(NotSubmitted):
    """So many jobs at once the cluster does not take, or so many of one user."""


class Busy(NotSubmitted):
    """The cluster does not answer, or takes no job now; perhaps it took these ones, and could not say so."""

"""The one exception that a user sees as a single line."""


class StudyError(Exception):
    """Something the user can mend: the message is one line that names where, what was found and what would be right.

    The command line prints it without a traceback and exits with code 2.
    """


class MayPass(StudyError):
    """What failed may do the next time: it is no result of the run."""

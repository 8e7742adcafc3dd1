"""The one exception that a user sees as a single line."""


class StudyError(Exception):
    """Something the user can mend: the message is one line that names where, what was found and what would be right.

    The command line prints it without a traceback and exits with code 2.
    """


class MayPass(StudyError):
    """What failed may do the next time: it is no result of the run."""


FOR_GOOD = (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError)
"""Errors of the operating system that stay until somebody mends them."""


def may_pass(error: BaseException) -> bool:
    """Whether trying again may help: the network, a disk or a file system failed, or was what made this fail."""
    if isinstance(error, OSError):
        return not isinstance(error, FOR_GOOD)
    return isinstance(error, MayPass) or (error.__cause__ is not None and may_pass(error.__cause__))

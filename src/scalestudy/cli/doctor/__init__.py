"""``scalestudy doctor``: is this a place where a study can run? One line per check, before anyone waits in a queue."""

from scalestudy.cli.doctor.examine import doctor

__all__ = ["doctor"]

"""What is said of a failed job where Snakemake keeps quiet (``--quiet all``, as `make run` has it)."""

import logging
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

LAST_LINES = 10
"""Of its log."""
SETTLE_S = 0.3
"""What writes the log (tee) may end a little after the command."""
STOPPED = f"exit code {os.EX_TEMPFAIL}"
"""Of a training that saved and stopped, which is no failure."""
ASKED_TO_STOP = "on user request"
"""Snakemake's, when Ctrl-C reaches it; the jobs end after that."""
LAST_WORDS = ("At least one job did not complete successfully", "Exiting because a job execution failed")
"""Snakemake's, after those on each job."""


class FailedJobs(logging.Handler):
    """Listens to Snakemake's errors, and prints of a job its rule, ending and log, and any other error as it is.

    Of jobs that end after Ctrl-C it says nothing.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._ending = ""
        self._interrupted = False

    def emit(self, record: logging.LogRecord) -> None:
        """Snakemake first says how a job's command ended, then which job it was."""
        text = record.getMessage().strip()
        if record.levelno < logging.ERROR:
            self._interrupted |= ASKED_TO_STOP in text
        elif self._interrupted:
            return
        elif getattr(record, "event", None) == "job_error":
            time.sleep(SETTLE_S)
            logs = [Path(log) for log in getattr(record, "log", [])]
            print("\n".join(told(getattr(record, "rule_name", "?"), self._ending, logs)), file=sys.stderr, flush=True)
            self._ending = ""
        elif found := ending(text):
            self._ending = found
        elif not any(words in text for words in LAST_WORDS):
            reason = text.splitlines()[-1] if text.startswith("Traceback") else text
            print(f"snakemake: {reason}", file=sys.stderr, flush=True)


def ending(text: str) -> str:
    """How a command ended, from what Python says of it; empty where it says nothing of a command."""
    found = re.search(r"returned non-zero exit status (\d+)|died with <Signals\.\w+: (\d+)>", text)
    if found is None:
        return ""
    code = int(found[1]) if found[1] else 128 + int(found[2])
    if code > 128 and code - 128 in set(signal.Signals):
        return f"killed by {signal.Signals(code - 128).name}"
    return f"exit code {code}"


def told(rule: str, how: str, logs: list[Path]) -> Iterator[str]:
    """The lines on one job. A reason in one line was printed when it was found, and is not said twice."""
    if how == STOPPED:
        yield f"The rule {rule} stopped early ({how}); the next call goes on where it was."
        yield from (f"Its log: {log}" for log in logs)
        return
    yield f"The rule {rule} failed" + (f" ({how})." if how else ".")
    for log in logs:
        try:
            lines = log.read_text(errors="replace").splitlines()[-LAST_LINES:]
        except OSError:
            yield f"It has no log {log}."
            continue
        if lines and lines[-1].startswith("scalestudy "):
            yield f"Its log, which ends with the line above: {log}"
        elif lines:
            yield f"Its log {log} ends with:"
            yield from (f"    {line}" for line in lines)
        else:
            yield f"Its log {log} is empty."

"""What is in an image, asked of the Python inside."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from scalestudy.container.diagnosis import UNREADABLE, UNREADABLE_WORDS, explained
from scalestudy.container.ending import output_of
from scalestudy.container.engines import Engine, Inside
from scalestudy.errors import StudyError
from scalestudy.records.image import Contents

QUESTION = """
import importlib.metadata, json, platform
packages = {}
for one in importlib.metadata.distributions():  # the first of a name is the one that is imported
    packages.setdefault(one.metadata["Name"], one.version)
try:
    from scalestudy.records.source import built
    facts = built()
except ImportError:
    facts = {}
print(json.dumps({**facts, "python": platform.python_version(), "packages": dict(sorted(packages.items()))}))
"""
NEEDED = ("scalestudy", "torch", "torchvision")
SELF_TEST = "scalestudy.train.self_test"
TIMEOUT_S = 300
MISSING = re.compile(r"not found in \$PATH|no such file or directory", re.IGNORECASE)
"""What engines say of a program that is not in the image."""
NOTHING_RAN = 125
"""Exit code of Docker and Podman where it is not the image that lacks something; Apptainer has none of the kind."""


def contents(engine: Engine, reference: str, source: str, options: Sequence[str]) -> Contents:
    """Python, packages, commit and lock of an image.

    Raises StudyError when nothing can be run in it, or when it lacks what training needs.
    """
    command = engine.command(reference, Inside(folder=Path("/"), options=options))
    answer = _run([*command, "python", "-c", QUESTION], source)
    try:
        found = Contents.model_validate_json(answer.stdout.strip().splitlines()[-1])
    except (IndexError, ValidationError) as error:
        failure = f"{source}: nothing can be run in it"
        lacks = answer.returncode != NOTHING_RAN and MISSING.search(answer.stderr)
        if lacks and MISSING.search(_run([*command, "true"], source).stderr):
            raise StudyError(f"{failure}: it is damaged, or holds no Linux system; build or copy it again") from error
        raise StudyError(explained(failure, answer.stderr)) from error
    if lacking := [name for name in NEEDED if name not in found.packages]:
        raise StudyError(f"{source}: has no {', '.join(lacking)} in it; must be built from containers/")
    return found


def try_out(engine: Engine, reference: str, source: str, options: Sequence[str]) -> None:
    """Let an image that was not built here train a step: packages may be listed in it and not be readable.

    Raises StudyError when it cannot.
    """
    command = engine.command(reference, Inside(folder=Path("/"), options=options))
    done = _run([*command, "python", "-m", SELF_TEST], source)
    if done.returncode == UNREADABLE:
        raise StudyError(f"{source}: training a step in it {UNREADABLE_WORDS}")
    if done.returncode:
        raise StudyError(explained(f"{source}: no step can be trained in it", done.stderr))


def _run(command: Sequence[str], source: str) -> subprocess.CompletedProcess[str]:
    try:
        return output_of(command, TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise StudyError(f"{source}: nothing ran in it within {TIMEOUT_S} s") from error

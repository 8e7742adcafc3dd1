"""What an image is made from, as one short hash: an image is built again when it changes, and not otherwise."""

import hashlib
import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import scalestudy
from scalestudy.container.builders import BUILDERS
from scalestudy.errors import StudyError
from scalestudy.spec.container import ContainerSpec

LOCK = "containers/requirements.lock"
SHARED = ("containers/install", "containers/installer.lock", LOCK, "pyproject.toml", "LICENSE")
"""What both definitions copy into the image, beside src/."""
NOT_BUILT = (
    "engine",
    "image",
    "digest",
    "folder",
    "builder",
    "certificates",
    "run_options",
    "gpus",
    "bind",
    "environment",
)
"""Keys of the configuration that do not change what is built."""

LEFT = ("*.pyc", "*.egg-info", ".*", "*~")
"""Names in src/ that do not change what is built."""


def project_root() -> Path:
    """The folder with containers/: the working directory, or else the checkout that scalestudy is installed from.

    Raises StudyError when neither has it.
    """
    for folder in (Path(), Path(scalestudy.__file__).parents[2]):
        if (folder / "containers" / "scalestudy.def").is_file():
            return folder.absolute()
    raise StudyError(
        "containers/scalestudy.def: there is no such file here; start in the project's folder, or name a "
        "ready image in container.image"
    )


def image_key(engine: str, builder: str, spec: ContainerSpec) -> str:
    """The hash of everything that the image is made from. Raises StudyError when a file of it cannot be read."""
    facts: list[object] = [engine]
    if spec.image:
        facts += [spec.image, _facts(Path(spec.image))]
    else:
        root = project_root()
        facts += [builder, spec.model_dump(exclude=set(NOT_BUILT)), _facts(root / spec.base)]
        files = [BUILDERS[builder].definition, *SHARED]
        facts += [(name, _hash(root / name)) for name in files]
        facts += [(str(path.relative_to(root)), _hash(path)) for path in _sources(root / "src")]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _sources(folder: Path) -> Iterator[Path]:
    """What is installed from a folder: no bytecode, and nothing that editors and systems leave there."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(fnmatchcase(part, left) for part in parts for left in LEFT):
            yield path


def _facts(path: Path) -> list[int]:
    """Size and time of an image's file, ready or to build upon; nothing for an address."""
    return [path.stat().st_size, path.stat().st_mtime_ns] if is_file(path) else []


def is_file(path: Path) -> bool:
    """Whether there is such a file. Raises StudyError where that cannot be known, in a folder that is closed."""
    try:
        return path.is_file()
    except OSError as error:
        raise StudyError(f"{path}: cannot be read: {error.strerror or error}") from error


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise StudyError(f"{path}: cannot be read: {error.strerror}; the image is built from it") from error

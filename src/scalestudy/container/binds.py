"""What of the host a command inside sees, as the engines' bind options."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from scalestudy.container.builders import CERTIFICATES
from scalestudy.errors import StudyError
from scalestudy.records.files import is_there
from scalestudy.records.image import Image

SEPARATORS = ":,"
"""Where engines split a bind option, and there is no way to quote them."""


def binds(image: Image, folder: Path, scratch: Path, online: bool, seen: Sequence[Path] = ()) -> list[str]:
    """Study folder and temporary folder by their own paths, then what the configuration names, each once; ``seen``
    are files that the command reads.

    Raises StudyError for a source that does not exist, that may not be looked at, or that no bind option can name.
    """
    found = [_same(folder, "the study's folder"), _same(scratch, "TMPDIR")]
    found += [_same(path, "results") for path in linked_results(folder)]
    found += map(named_bind, image.run.bind)
    for path in seen:
        if not is_there(path):
            raise StudyError(f"--see: found {path}; there is no such file or folder")
        found += [f"{_same(place, 'a file that the command reads')}:ro" for place in outside(path, folder)]
    if online and image.run.certificates:
        path = nameable(Path(image.run.certificates).absolute(), "container.certificates")
        found.append(f"{path}:{CERTIFICATES}:ro")
    return list(dict.fromkeys(found))


def named_bind(bind: str) -> str:
    """A bind of the configuration, whole. Raises StudyError where its source is not on this machine."""
    source, _, target = bind.partition(":")
    try:
        path = nameable(Path(source).expanduser().absolute(), "container.bind")
        path.stat()
    except FileNotFoundError as error:
        raise StudyError(
            f"container.bind: found {source}; must exist, and there is no such file or folder on {os.uname().nodename}"
        ) from error
    except (OSError, RuntimeError) as error:  # the latter for the home of a user that does not exist
        why = error.strerror if isinstance(error, OSError) else error
        raise StudyError(f"container.bind: found {source}; cannot be seen on {os.uname().nodename}: {why}") from error
    return f"{path}:{target or path}"


def nameable(path: Path, what: str) -> Path:
    """The path. Raises StudyError where a bind option cannot name it."""
    if any(separator in str(path) for separator in SEPARATORS):
        raise StudyError(f"{what}: found {path}; must be a path without ':' and ',': engines split bind mounts there")
    return path


def outside(path: Path, folder: Path) -> list[Path]:
    """What is to be bound of a path beyond ``folder`` that a command uses: as it is written, and where links lead."""
    places = dict.fromkeys((Path(os.path.normpath(path.absolute())), path.resolve()))
    return [place for place in places if not place.is_relative_to(folder)]


def linked_results(folder: Path) -> Iterator[Path]:
    """Where results lie that are linked to a file system with more room, all of them or those of a study."""
    results = folder / "results"
    for path in (results, *sorted(results.glob("*"))):
        if path.is_symlink() and _can_be_seen(path):
            yield from outside(path, folder)


def _can_be_seen(path: Path) -> bool:
    """A link to what is gone, or into a folder that is closed, leads no command anywhere."""
    try:
        path.stat()
    except OSError:
        return False
    return True


def _same(path: Path, what: str) -> str:
    return f"{nameable(path, what)}:{path}"

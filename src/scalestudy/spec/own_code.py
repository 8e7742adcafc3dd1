"""The user's own modules, beside the Snakefile: a digest of the file, so that an edit is a change of what is run."""

import hashlib
from pathlib import Path

from scalestudy.spec.imports import PATTERN
from scalestudy.spec.module_search import way_to


def code_digest(name: str, folder: Path | None = None) -> str:
    """Digest of the file of the module that an import path names, 16 hex digits; nothing is imported.

    Empty for a name from the catalog and for a module that does not lie in ``folder`` (the current one): of an
    installed package a container image has a copy of its own. Files that the module imports do not count.
    """
    if not PATTERN.fullmatch(name):
        return ""
    file = _file(name.partition(":")[0], folder or Path.cwd())
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file else ""
    except OSError:
        return ""


def _file(module: str, folder: Path) -> Path | None:
    """Where the module is, found as Python finds it, but in this folder alone."""
    found = way_to(module, [str(folder)])
    if len(found) <= module.count("."):
        return None
    return Path(found[-1].origin) if found[-1].origin else None

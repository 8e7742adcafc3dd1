"""What an image is built upon: the name alone may stand for another image tomorrow, its digest cannot."""

import hashlib
import re
import subprocess
from pathlib import Path

from scalestudy.container.addresses import whole_name
from scalestudy.container.builders import BUILDERS
from scalestudy.container.key import is_file
from scalestudy.records.image import Base
from scalestudy.spec.container import ContainerSpec

DIGEST = r"sha256:[0-9a-f]{64}"
PINNED = re.compile(rf"@({DIGEST})$")


def base_of(spec: ContainerSpec, builder: str, root: Path, log: str) -> Base:
    """The base of an image that was built in the project's folder ``root``, and the builder's log of that."""
    if found := _digest(spec.base, builder, root, log):
        return Base(name=spec.base, digest=found)
    return Base(
        name=spec.base, reason=f"{builder} does not tell what the name stood for; docker://NAME@sha256:... would"
    )


def base_of_ready(name: str) -> Base:
    """The base of an image that was not built here, by what it says of itself."""
    if pinned := PINNED.search(name):
        return Base(name=name, digest=pinned[1])
    return Base(name=name, reason="a ready image tells at most the name")


def _digest(base: str, builder: str, root: Path, log: str) -> str | None:
    if pinned := PINNED.search(base):
        return pinned[1]
    if is_file(root / base):
        with (root / base).open("rb") as stream:
            return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
    name = whole_name(base)
    if said := re.search(rf"FROM {re.escape(name)}@({DIGEST})", log):
        return said[1]
    if (ask := BUILDERS[builder].base_digest) is None:
        return None
    answer = subprocess.run(ask(name), capture_output=True, text=True, check=False).stdout.strip()
    return answer if re.fullmatch(DIGEST, answer) else None

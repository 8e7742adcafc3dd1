"""image.json: the image that a study runs in, and how commands are run inside it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

MARK = "SCALESTUDY_CONTAINER"
"""Environment variable that tells a process inside which engine and image it runs in."""
STARTED = "SCALESTUDY_STARTED"
"""Environment variable with the Unix time at which the engine was started: start-up counts from there."""
UNKNOWN = "unknown"
"""Digest of an image whose engine was started by hand, or around the whole workflow: nothing tells which."""
VARIABLES = {"APPTAINER_CONTAINER": "apptainer", "SINGULARITY_CONTAINER": "singularity"}
"""Environment variable that an engine sets in each of its containers, and the engine. A machine that is itself a
container, as under Docker, is where the workflow runs, and no image of it."""


class ImageModel(BaseModel):
    """A part of image.json."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Contents(ImageModel):
    """What an image says of itself, see container/contents.py."""

    base: str = ""
    """The image that it was built upon."""
    python: str = ""
    commit: str = ""
    """That the image was built from, ``-dirty`` when files were changed."""
    lock_sha256: str = ""
    """Of containers/requirements.lock as the image installed it."""
    packages: dict[str, str] = {}
    """Python packages with their versions."""


class Base(ImageModel):
    """The image that an image was built upon."""

    name: str = ""
    """As the configuration names it; of a ready image as it names it itself."""
    digest: str | None = None
    """``sha256:...`` of what the name stood for: of a SIF the hash of the file, else that of the image's manifest."""
    reason: str = ""
    """Why the digest is not known; empty where it is."""


class Running(ImageModel):
    """How commands are run inside, beyond the image itself."""

    bind: list[str] = []
    environment: list[str] = []
    options: list[str] = []
    gpus: Literal["auto", "none"] = "auto"
    certificates: str = ""


class Image(ImageModel):
    """The image of a study. With the engine ``none`` nothing else is filled."""

    schema_version: Literal[1] = 1
    engine: str
    engine_version: str = ""
    builder: str = ""
    """Which program built it; empty for a ready image."""
    reference: str = ""
    """What the engine is given: the path of a SIF, or an image's id."""
    digest: str = ""
    """``sha256:...``: of a SIF the hash of the file, otherwise the image's id."""
    size_bytes: int = 0
    modified: int = 0
    """Of a SIF: Unix time at which it was last changed. With the size it tells a replaced file without reading it."""
    source: str = ""
    """The definition that it was built from, or the ready image that it is."""
    base: Base = Base()
    contents: Contents = Contents()
    run: Running = Running()
    made_from: str = ""
    """What the configuration asked for when this was recorded: another value, and the record is outdated."""

    @property
    def sif(self) -> Path | None:
        """The image's file, where it is one."""
        return Path(self.reference) if self.reference and not self.reference.startswith("sha256:") else None


class Around(ImageModel):
    """What a process knows of the container around it."""

    engine: str = ""
    engine_version: str = ""
    image_digest: str = ""


def around(environment: Mapping[str, str]) -> Around:
    """The container around this process; all empty outside of one."""
    if mark := environment.get(MARK):
        return Around.model_validate(json.loads(mark))
    engine = next((engine for name, engine in VARIABLES.items() if name in environment), None)
    return Around(engine=engine, image_digest=UNKNOWN) if engine else Around()

"""The section ``container`` of config.yaml: in what the training runs, and how that is built."""

from typing import Annotated, Literal

from pydantic import Field

from scalestudy.spec.base import SpecModel

DIGEST_PATTERN = r"^(sha256:[0-9a-f]{64})?$"
BIND_PATTERN = r"^[^:,]+(:/[^:,]*(:(ro|rw))?)?$"
IMAGES_PATTERN = r"^[^~{}]([^{}]*[^{}/])?$"
BASE_PATTERN = r"^[^'\"\\\n\r]+$"
"""Definitions quote it for a shell and write it into JSON."""
VARIABLE_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*\*?$"
Bind = Annotated[str, Field(pattern=BIND_PATTERN)]
Variable = Annotated[str, Field(pattern=VARIABLE_PATTERN)]


class ContainerSpec(SpecModel):
    """In what the training runs, see docs/containers.md."""

    engine: Literal["none", "auto", "apptainer", "podman", "docker"] = "none"
    """What runs the image. ``none``: no image, this Python environment; ``auto``: the first of the others that is
    installed."""
    image: str = ""
    """A ready image: a file (SIF or docker archive) or an address such as ``docker://NAME``; empty: built here."""
    digest: Annotated[str, Field(pattern=DIGEST_PATTERN)] = ""
    """``sha256:...`` that the image must have: of a SIF the hash of the file, otherwise the image's id. An address is
    pinned in its name, ``docker://NAME@sha256:...``."""
    folder: str = Field(default="images", pattern=IMAGES_PATTERN)
    """Images are kept here, each in a folder named by what it was built from: a folder of this study's own, without
    braces, ~ and a / at the end."""
    builder: Literal["auto", "apptainer", "podman", "buildah", "docker"] = "auto"
    """What builds. ``auto``: the engine itself; apptainer builds from containers/scalestudy.def, the others from
    containers/Dockerfile, and an image of another one is handed over as an archive."""
    base: str = Field(default="docker://python:3.11-slim", pattern=BASE_PATTERN)
    """The image to build upon: an address (pin it: ``docker://python@sha256:...``), or for apptainer a local SIF."""
    torch: Literal["lock", "base"] = "lock"
    """``lock``: torch as the lock has it, with CUDA; ``base``: the base's own, such as that of a ROCm image."""
    certificates: str = ""
    """A file of certificate authorities to build with, where the network inspects what passes."""
    build_options: list[str] = []
    """Further options of the builder's build command."""
    run_options: list[str] = []
    """Further options of the engine's run command, such as ``--userns``."""
    gpus: Literal["auto", "none"] = "auto"
    """``auto``: a command inside sees the GPUs of the machine that it runs on; ``none``: the engine is given no options
    for GPUs."""
    bind: list[Bind] = []
    """Further folders to see inside, ``SOURCE``, ``SOURCE:TARGET`` or ``SOURCE:TARGET:ro``."""
    environment: list[Variable] = []
    """Further environment variables to pass, by name; a ``*`` at the end stands for any ending."""

"""What builds an image: the commands of each builder, as a table."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scalestudy.container.addresses import DOCKER_ARCHIVE, OCI_ARCHIVE, whole_name
from scalestudy.errors import StudyError
from scalestudy.spec.container import ContainerSpec

PROGRAMS = {"apptainer": ("apptainer", "singularity")}
"""Executables of a builder that are not called as it is, the preferred one first."""
UNLABELLED = ("--security-opt", "label=disable")
"""Where SELinux labels files, nothing of the host could be read inside without it."""
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
"""Where an image based on Debian keeps the authorities that it trusts."""


@dataclass(frozen=True)
class Recipe:
    """What is to be built."""

    root: Path
    """The project, which holds containers/, src/ and pyproject.toml."""
    spec: ContainerSpec
    arguments: dict[str, str]
    """Build arguments of the definition."""
    tag: str
    """Name of the image in the builder's own store."""


@dataclass(frozen=True)
class Builder:
    """One program that builds, and the engine whose store the image is in afterwards."""

    definition: str
    store: str
    build: Callable[[Recipe, str], list[str]]
    """Command that builds into a SIF, or into the store under a tag."""
    save: Callable[[str, Path], list[str]] | None = None
    """Command that writes the image with this tag as a docker archive; none where ``build`` itself can write any."""
    discard: Callable[[str], list[str]] | None = None
    """Command that removes the image with this tag from the store again; none where ``archive`` leaves it empty."""
    base_digest: Callable[[str], list[str]] | None = None
    """Command that prints the digest of an image by its whole name, as it lies in the store after building upon it."""
    variables: dict[str, str] = field(default_factory=dict)
    """Environment variables to build with."""

    def archive(self, recipe: Recipe, file: Path, *, for_apptainer: bool) -> tuple[str, list[list[str]]]:
        """The archive as engines name it, and the commands that build and leave it.

        Apptainer compresses the layers of a docker archive before it unpacks them, on one core and for nothing (5 GB
        take four minutes), and those of an OCI archive not, as buildah writes it.
        """
        if self.save is None:  # the image, of gigabytes, is not put into the store first
            source = f"{OCI_ARCHIVE if for_apptainer else DOCKER_ARCHIVE}{file}"
            return source, [self.build(recipe, f"{source}:{recipe.tag}")]
        return f"{DOCKER_ARCHIVE}{file}", [self.build(recipe, recipe.tag), self.save(recipe.tag, file)]


def found(programs: Sequence[str]) -> str | None:
    """The first of these executables that is installed."""
    return next((program for program in programs if shutil.which(program)), None)


def _bootstrap(base: str) -> tuple[str, str]:
    """``docker://NAME`` as Apptainer's header wants it: bootstrap agent and source."""
    agent, separator, source = base.partition("://")
    return (agent, source) if separator else ("localimage", base)


def _apptainer(recipe: Recipe, target: str) -> list[str]:
    bootstrap, source = _bootstrap(recipe.spec.base)
    arguments = recipe.arguments | {"BOOTSTRAP": bootstrap, "BASE": source}
    words = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    certificates = recipe.spec.certificates
    words += ["--bind", f"{certificates}:{CERTIFICATES}:ro"] if certificates else []
    program = PROGRAMS["apptainer"]
    return [
        found(program) or program[0],
        "build",
        *words,
        *recipe.spec.build_options,
        target,
        "containers/scalestudy.def",
    ]


def _dockerfile(*program: str) -> Callable[[Recipe, str], list[str]]:
    def build(recipe: Recipe, target: str) -> list[str]:
        bootstrap, source = _bootstrap(recipe.spec.base)
        if bootstrap != "docker":
            raise StudyError(
                f"container.base: found {recipe.spec.base}; must be an address such as docker://NAME, "
                f"since {program[0]} builds upon no SIF"
            )
        words = [word for name, value in recipe.arguments.items() for word in ("--build-arg", f"{name}={value}")]
        words += ["--build-arg", f"BASE={whole_name(source)}"]
        certificates = recipe.spec.certificates
        words += ["--secret", f"id=certificates,src={certificates}"] if certificates else []
        options = [*words, *recipe.spec.build_options, "--tag", target, "--file", "containers/Dockerfile"]
        return [*program, *options, "."]

    return build


BUILDERS: dict[str, Builder] = {
    "apptainer": Builder("containers/scalestudy.def", "apptainer", _apptainer),
    "podman": Builder(
        "containers/Dockerfile",
        "podman",
        _dockerfile("podman", "build", *UNLABELLED),
        save=lambda tag, file: ["podman", "save", "--format", "docker-archive", "--output", str(file), tag],
        discard=lambda tag: ["podman", "rmi", tag],
        base_digest=lambda name: ["podman", "image", "inspect", "--format", "{{.Digest}}", name],
    ),
    "buildah": Builder(
        "containers/Dockerfile",
        "podman",
        _dockerfile("buildah", "build", *UNLABELLED),
        base_digest=lambda name: ["buildah", "inspect", "--type", "image", "--format", "{{.FromImageDigest}}", name],
    ),
    "docker": Builder(
        "containers/Dockerfile",
        "docker",
        _dockerfile("docker", "build"),
        save=lambda tag, file: ["docker", "save", "--output", str(file), tag],
        discard=lambda tag: ["docker", "rmi", tag],
        # No base_digest: BuildKit keeps the base to itself, and says in its log what it is.
        variables={"DOCKER_BUILDKIT": "1"},  # lends files to a build, and is not what every docker takes by itself
    ),
}
"""By the name in config.yaml."""


SUITABLE = {
    "apptainer": ("apptainer", "podman", "buildah", "docker"),
    "podman": ("podman", "buildah", "docker"),
    "docker": ("docker", "podman", "buildah"),
}
"""Engine to the builders that can build for it, the preferred one first."""


def chosen_builder(engine: str, asked: str) -> str:
    """The builder for an engine: the one that was asked for, or the first of those that suit it that is installed.

    Raises StudyError when there is none.
    """
    names = SUITABLE[engine] if asked == "auto" else (asked,)
    builder = next((name for name in names if found(PROGRAMS.get(name, (name,)))), None)
    if builder is None:
        raise StudyError(
            f"container.builder: found {asked}; not installed here: {', '.join(names)}; must be one that is, or "
            "container.image a ready image"
        )
    return builder

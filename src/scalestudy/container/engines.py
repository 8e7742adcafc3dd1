"""What runs an image: one small class per engine, and the table of them. A new engine is a class and an entry here."""

import hashlib
import os
import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from scalestudy.container.addresses import DOCKER_ARCHIVE, OCI_ARCHIVE, whole_name
from scalestudy.container.builders import PROGRAMS, UNLABELLED
from scalestudy.errors import StudyError

Accelerator = Literal["none", "nvidia", "amd"]
DEVICES = Path("/dev")
AMD_FILES = ("kfd", "dri/renderD*")


@dataclass(frozen=True)
class Inside:
    """What a command inside is given."""

    folder: Path
    """Working directory, by the same path inside."""
    binds: Sequence[str] = ()
    """Folders to see inside: ``SOURCE:TARGET`` or ``SOURCE:TARGET:ro``."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """All variables that the command sees beside those of the image."""
    accelerator: Accelerator = "none"
    network: bool = False
    """Whether it talks to other machines, or other containers of this one."""
    options: Sequence[str] = ()
    """Further options of the engine's run command."""


class Engine(ABC):
    """One program that runs images."""

    name: ClassVar[str]
    programs: ClassVar[tuple[str, ...]]
    """Its executables, the preferred one first."""
    failed: ClassVar[tuple[int, ...]]
    """Exit codes when the engine itself fails; the command inside may have them as well."""
    files: ClassVar[bool] = False
    """Whether an image is a file, which other machines see in a shared folder; or lies in a store of this machine."""

    def installed(self) -> bool:
        """Whether it can be started here."""
        return any(shutil.which(program) for program in self.programs)

    def program(self) -> str:
        """The executable. Raises StudyError when it is not installed."""
        for program in self.programs:
            if shutil.which(program):
                return program
        raise StudyError(
            f"container.engine: {self.name} is not installed on {os.uname().nodename} (or its module is not loaded); "
            "must be one that is, or none"
        )

    def version(self) -> str:
        """Its version, without its name."""
        done = subprocess.run([self.program(), "--version"], capture_output=True, text=True, check=False)
        words = done.stdout.replace(",", " ").split()
        return next((word for word in words if word[:1].isdigit()), "")

    @abstractmethod
    def command(self, reference: str, inside: Inside) -> list[str]:
        """The command line that is put before a command to run it in an image."""

    def variables(self, inside: Inside) -> dict[str, str]:  # noqa: ARG002
        """What the engine's own environment must hold, where ``command`` does not name the variables inside."""
        return {}

    @abstractmethod
    def take(self, source: str, target: Path) -> list[str]:
        """The command that brings an archive (``docker-archive:FILE``) or an address (``docker://NAME``) here.

        ``target`` is the file that it becomes, for an engine that keeps images as files.
        """

    @abstractmethod
    def reference(self, source: str, target: Path, said: str) -> str:
        """What ``command`` is to be given after ``take``, which printed ``said``."""

    @abstractmethod
    def identify(self, reference: str) -> tuple[str, int]:
        """Digest and size in bytes. Raises StudyError when there is no such image."""


class Apptainer(Engine):
    """Apptainer, or Singularity as it was called: an image is a file, run as the calling user without a daemon."""

    name = "apptainer"
    programs = PROGRAMS["apptainer"]
    failed = (1, 255)
    files = True

    def command(self, reference: str, inside: Inside) -> list[str]:
        """The host's network is always there; the home folder and the host's variables are not."""
        gpu = {"none": [], "nvidia": ["--nv"], "amd": ["--rocm"]}[inside.accelerator]
        binds = [word for bind in inside.binds for word in ("--bind", bind)]
        home = ["--home", inside.environment["HOME"]] if "HOME" in inside.environment else []
        fixed = ["--cleanenv", "--no-home", *home, "--pwd", str(inside.folder)]
        return [self.program(), "--silent", "exec", *fixed, *gpu, *binds, *inside.options, reference]

    def variables(self, inside: Inside) -> dict[str, str]:
        """By the engine's prefix: ``--env`` splits values at commas. Nothing in a value is a command of the shell."""
        prefix = self.program().upper()
        names = {f"{prefix}ENV_{name}": value for name, value in inside.environment.items() if name != "HOME"}
        return names | {f"{prefix}_NO_EVAL": "1"}

    def take(self, source: str, target: Path) -> list[str]:
        """Everything becomes a SIF. What an archive holds is not kept in the home folder's cache as well."""
        cache = ["--disable-cache"] if source.startswith((DOCKER_ARCHIVE, OCI_ARCHIVE)) else []
        return [self.program(), "build", *cache, str(target), source]

    def reference(self, source: str, target: Path, said: str) -> str:  # noqa: ARG002
        """The SIF."""
        return str(target)

    def identify(self, reference: str) -> tuple[str, int]:
        """The hash of the whole file."""
        try:
            with Path(reference).open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
                return f"sha256:{digest}", stream.tell()
        except OSError as error:
            raise StudyError(f"{reference}: cannot be read: {error.strerror or error}") from error


class Docker(Engine):
    """Docker: images lie in the daemon's store and are named by their id."""

    name = "docker"
    programs = ("docker",)
    failed = (125,)
    gpus: ClassVar[dict[str, list[str]]] = {
        "none": [],
        "nvidia": ["--gpus", "all"],
        "amd": ["--device", "/dev/kfd", "--device", "/dev/dri"],
    }

    def command(self, reference: str, inside: Inside) -> list[str]:
        """As the calling user; with the host's network only where something else is talked to."""
        binds = [word for bind in inside.binds for word in ("--volume", bind)]
        # Without values, which everybody on the machine could read in the list of processes. HOME is the engine's own.
        values = {name: f"={value}" if name == "HOME" else "" for name, value in inside.environment.items()}
        names = [word for name, value in values.items() for word in ("--env", f"{name}{value}")]
        fixed = ["--rm", "--init", "--ipc", "host", "--network", "host" if inside.network else "none"]
        fixed += ["--entrypoint", ""]  # of a base or a ready image: what is to run is the command
        fixed += [*UNLABELLED, *self.user(), "--workdir", str(inside.folder), *self.gpus[inside.accelerator]]
        fixed += [word for group in self.groups(inside.accelerator) for word in ("--group-add", group)]
        return [self.program(), "run", *fixed, *binds, *names, *inside.options, reference]

    def variables(self, inside: Inside) -> dict[str, str]:
        """The values of what ``command`` names."""
        return {name: value for name, value in inside.environment.items() if name != "HOME"}

    def user(self) -> list[str]:
        """What makes files belong to the calling user."""
        return ["--user", f"{os.getuid()}:{os.getgid()}"]

    def groups(self, accelerator: Accelerator) -> list[str]:
        """Those of the caller, and those that may open the device files of AMD GPUs, by number: the image knows other
        names.
        """
        files = [file for pattern in AMD_FILES for file in DEVICES.glob(pattern)] if accelerator == "amd" else []
        return sorted({str(group) for group in (*os.getgroups(), *(file.stat().st_gid for file in files))})

    def take(self, source: str, target: Path) -> list[str]:  # noqa: ARG002
        """Archives are loaded, addresses pulled."""
        if source.startswith(DOCKER_ARCHIVE):
            return [self.program(), "load", "--quiet", "--input", source.removeprefix(DOCKER_ARCHIVE)]
        return [self.program(), "pull", "--quiet", whole_name(source)]

    def reference(self, source: str, target: Path, said: str) -> str:  # noqa: ARG002
        """The image's id."""
        loaded = re.search(r"Loaded image(?: ID|\(s\))?: *(\S+)", said)
        return self.identify(loaded[1] if loaded else whole_name(source))[0]

    def identify(self, reference: str) -> tuple[str, int]:
        """As the engine's store has it."""
        command = [self.program(), "image", "inspect", "--format", "{{.Id}} {{.Size}}", reference]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        words = done.stdout.split()
        if done.returncode or len(words) != 2:
            why = (done.stderr.strip().splitlines() or ["no such image"])[-1]
            raise StudyError(f"container.image: {reference}: {self.name} has no such image: {why}")
        return f"sha256:{words[0].removeprefix('sha256:')}", int(words[1])


class Podman(Docker):
    """Podman: as Docker, without a daemon; the calling user keeps its id inside."""

    name = "podman"
    programs = ("podman",)
    gpus: ClassVar[dict[str, list[str]]] = Docker.gpus | {"nvidia": ["--device", "nvidia.com/gpu=all"]}

    def user(self) -> list[str]:
        """Root is root anyway, and may not keep its id."""
        return ["--userns", "keep-id"] if os.getuid() else []

    def groups(self, accelerator: Accelerator) -> list[str]:
        """Those that the calling user has: without root, no other can be given."""
        return ["keep-groups"] if accelerator == "amd" and os.getuid() else []


ENGINES: dict[str, Engine] = {engine.name: engine for engine in (Apptainer(), Podman(), Docker())}
"""By the name in config.yaml, in the order in which ``auto`` looks for them."""


def chosen_engine(name: str) -> Engine | None:
    """The engine that ``container.engine`` names; None for ``none``. Raises StudyError when it is not installed."""
    if name == "none":
        return None
    if name != "auto":
        ENGINES[name].program()
        return ENGINES[name]
    found = next((engine for engine in ENGINES.values() if engine.installed()), None)
    if found is None:
        raise StudyError(f"container.engine: found auto; none of {', '.join(ENGINES)} is installed")
    return found

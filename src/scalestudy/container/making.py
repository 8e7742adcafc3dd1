"""Make an image, or take a ready one: from the configuration to what the engine can run."""

import hashlib
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import scalestudy
from scalestudy.container.addresses import DOCKER_ARCHIVE
from scalestudy.container.base import base_of, base_of_ready
from scalestudy.container.builders import BUILDERS, Recipe, chosen_builder
from scalestudy.container.diagnosis import LAST_LINES, explained
from scalestudy.container.ending import ended_with_us
from scalestudy.container.engines import Engine
from scalestudy.container.key import LOCK, image_key, is_file, project_root
from scalestudy.errors import StudyError
from scalestudy.records.image import Base, Contents
from scalestudy.records.source import commit_of
from scalestudy.spec.container import ContainerSpec

SIF = "scalestudy.sif"
LOG = "build.log"
RIGHT_IMAGE = "must be a SIF, a docker archive (.tar) or an address such as docker://NAME"
NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Making:
    """How the image of a configuration comes to be."""

    engine: Engine
    spec: ContainerSpec
    builder: str
    """Empty for a ready image."""
    key: str

    @classmethod
    def of(cls, engine: Engine, spec: ContainerSpec) -> "Making":
        """Raises StudyError when no builder is installed, a file that the image is made from cannot be read, or the
        engine runs no such image.
        """
        builder = "" if spec.image else chosen_builder(engine.name, spec.builder)
        if not spec.image and _only_a_file(spec.base) and not is_file(project_root() / spec.base):
            raise StudyError(f"container.base: found {spec.base}; there is no such file")
        making = cls(engine, spec, builder, image_key(engine.name, builder, spec))
        if making.in_place and not engine.files:
            raise StudyError(
                f"container.image: found {spec.image}; must be a docker archive (.tar) or an address such as "
                f"docker://NAME for {engine.name}: a file of another kind is a SIF, which apptainer runs"
            )
        return making

    @property
    def source(self) -> str:
        """What the image is called in messages and records: the ready image, or the definition."""
        return self.spec.image or BUILDERS[self.builder].definition

    @property
    def in_place(self) -> bool:
        """Whether it is a SIF that is there already, and is run where it lies."""
        image = self.spec.image
        return bool(image) and "://" not in image and not image.endswith(".tar")

    def make(self, folder: Path) -> str:
        """Make it, with files and log in ``folder``, and return what the engine is to be given.

        Raises StudyError with the likely cause when that fails.
        """
        if self.in_place:
            return _existing(self.spec.image)
        target, log = folder / SIF, folder / LOG
        if self.spec.image:
            return self._take(_source(self.spec.image), target, log)
        builder, recipe, failure = BUILDERS[self.builder], self._recipe(), f"{self.source}: building failed"
        if builder.store == self.engine.name:
            output = str(target.absolute()) if self.engine.files else recipe.tag
            _run(builder.build(recipe, output), log, recipe.root, failure, builder.variables)
            return str(target) if self.engine.files else self.engine.identify(recipe.tag)[0]
        archive = (folder / "archive.tar").absolute()
        try:
            source, commands = builder.archive(recipe, archive, for_apptainer=self.engine.files)
            for command in commands:
                _run(command, log, recipe.root, failure, builder.variables)
            return self._take(source, target, log)
        finally:
            archive.unlink(missing_ok=True)
            if builder.discard:
                with suppress(OSError):  # where building failed there is nothing to remove
                    subprocess.run(builder.discard(recipe.tag), capture_output=True, check=False)

    def base(self, folder: Path, contents: Contents) -> Base:
        """What the image was built upon, after ``make`` in this folder."""
        if self.spec.image:
            return base_of_ready(contents.base)
        log = (folder / LOG).read_text(errors="replace")
        return base_of(self.spec, self.builder, project_root(), log)

    def _take(self, source: str, target: Path, log: Path) -> str:
        said = _run(self.engine.take(source, target), log, Path(), f"{source}: cannot be taken")
        return self.engine.reference(source, target, said)

    def _recipe(self) -> Recipe:
        root = project_root()
        arguments = {
            "TORCH": self.spec.torch,
            "VERSION": scalestudy.__version__,
            "COMMIT": commit_of(root / "pyproject.toml"),
            "LOCK": hashlib.sha256((root / LOCK).read_bytes()).hexdigest(),
        }
        return Recipe(root, self.spec, arguments, tag=f"localhost/scalestudy:{self.key}")


def _only_a_file(base: str) -> bool:
    """Whether a base can be nothing but a file: names of registries may hold slashes and points."""
    return "://" not in base and (base.endswith((".sif", ".img")) or base.startswith(("/", "./", "../")))


def _existing(image: str) -> str:
    """A SIF on this machine. Raises StudyError when it is missing, or visibly no SIF or not all of one."""
    path = Path(image)
    try:
        with path.open("rb") as stream:
            start = stream.read(64)
    except OSError as error:
        raise StudyError(
            f"container.image: found {image}; cannot be read: {error.strerror or error}; {RIGHT_IMAGE}"
        ) from error
    if start[32:42] != b"SIF_MAGIC\0":
        raise StudyError(f"container.image: found {image}; is no SIF, or a damaged one; {RIGHT_IMAGE}")
    return image


def _source(image: str) -> str:
    """A ready image as engines name it. Raises StudyError for an archive that does not exist."""
    if "://" in image:
        return image
    if not is_file(Path(image)):
        raise StudyError(f"container.image: found {image}; there is no such file")
    return f"{DOCKER_ARCHIVE}{image}"


def _run(command: list[str], log: Path, folder: Path, failure: str, variables: Mapping[str, str] = NO_VARIABLES) -> str:
    """Run a command with further variables in its environment, its output appended to the log; returns that output.

    Raises StudyError with the likely cause; the last lines of the output are printed before.
    """
    try:
        with log.open("ab") as stream:
            begin = stream.tell()
            environment = os.environ | variables
            with ended_with_us(command, cwd=folder, env=environment, stdout=stream, stderr=stream) as process:
                code = process.wait()
        output = log.read_bytes()[begin:].decode(errors="replace")
    except OSError as error:
        raise StudyError(f"{failure}: {command[0]}: {error.strerror or error}") from error
    if code:
        print("\n".join(output.splitlines()[-LAST_LINES:]))
        raise StudyError(explained(failure, output))
    return output

"""The rule ``image``: have the image that the configuration asks for, made once and kept by its key."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from scalestudy.container.binds import nameable, named_bind, outside
from scalestudy.container.contents import contents, try_out
from scalestudy.container.engines import chosen_engine
from scalestudy.container.key import is_file
from scalestudy.container.making import Making
from scalestudy.errors import StudyError
from scalestudy.records.current import is_asked_for
from scalestudy.records.files import is_there, read_model, write_model
from scalestudy.records.image import Image, Running
from scalestudy.spec.config import Config
from scalestudy.spec.container import ContainerSpec

RECORD = "image.json"


@dataclass(frozen=True)
class PlannedImage:
    """An image before it is made."""

    record: str
    """Path of the image.json that names it."""
    made_from: str
    """Changes when the image does, the digest that it must have, or how commands run in it."""
    outdated: bool
    """Whether the record that is there is of something else or damaged, or the SIF that it names is gone."""


def prepare(config: Config) -> Image:
    """The image of a configuration, built or taken unless it is there already.

    Raises StudyError when the engine is not installed, the image cannot be made, is damaged, or is not the one that
    ``container.digest`` names.
    """
    spec = config.container
    _check_files(spec)
    engine = chosen_engine(spec.engine)
    if engine is None:
        return Image(engine="none")
    _make_folder(Path(config.data.folder))
    making = Making.of(engine, spec)
    kept = Path(spec.folder) / making.key
    image = recorded(making, kept)
    if image is None:
        image = _look(making, kept, making.make(kept)) if making.in_place else _make(making, kept)
    if spec.digest and image.digest != spec.digest:
        raise StudyError(f"container.digest: found {spec.digest}; {making.source} has {image.digest}")
    running = _running(config)
    asked = {"run": running, "engine_version": engine.version(), "made_from": _made_from(making, running)}
    return image.model_copy(update=asked)


def planned_image(config: Config, cluster: bool = False) -> PlannedImage | None:
    """What the workflow must know beforehand; None for the engine ``none``. It is cheap, and makes nothing.

    ``cluster``: runs are sent to other machines. Raises StudyError when the engine or the builder is not installed, or
    other machines cannot have the engine's images.
    """
    engine = chosen_engine(config.container.engine)
    if engine is None:
        return None
    if cluster and not engine.files:
        raise StudyError(
            f"container.engine: found {config.container.engine}; must be apptainer or none where other machines train: "
            f"{engine.name} keeps images in a store of this machine, and a SIF is a file that all nodes see"
        )
    making = Making.of(engine, config.container)
    record, made_from = f"{config.container.folder}/{RECORD}", _made_from(making, _running(config))
    if not cluster:  # a node may have what this machine lacks
        for bind in config.container.bind:
            named_bind(bind)
    outdated = is_there(Path(record)) and (not is_asked_for(Path(record), made_from) or _is_gone(Path(record)))
    return PlannedImage(record, made_from, outdated)


def _is_gone(record: Path) -> bool:
    """Whether the file that a record names was deleted."""
    image = read_model(record, Image)
    return image.sif is not None and not is_there(image.sif)


def _made_from(making: Making, running: Running) -> str:
    return f"{making.key} {making.spec.digest} {running.model_dump_json()}"


def _running(config: Config) -> Running:
    spec = config.container
    data = outside(Path(config.data.folder), nameable(Path.cwd(), "the study's folder"))
    return Running(
        bind=[*(str(nameable(path, "data.folder")) for path in data), *spec.bind],
        environment=spec.environment,
        options=spec.run_options,
        gpus=spec.gpus,
        certificates=spec.certificates,
    )


def _check_files(spec: ContainerSpec) -> None:
    if spec.engine != "none" and spec.certificates and not is_file(Path(spec.certificates)):
        raise StudyError(f"container.certificates: found {spec.certificates}; must be a file, and there is none")


def _make_folder(data: Path) -> None:
    """What is bound must be there, and ``data`` fills it only inside."""
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(f"data.folder: found {data}; cannot be made: {error.strerror or error}") from error


def recorded(making: Making, kept: Path) -> Image | None:
    """The image as it was made before, if it is still there and the same."""
    try:
        image = read_model(kept / RECORD, Image)
        if image.sif is None:
            making.engine.identify(image.reference)
            return image
        size, modified = _facts(image.sif)
        if modified == image.modified:
            return image if size == image.size_bytes else None
        # Copied, or restored from a backup: its time says nothing, what it holds does.
        same = size == image.size_bytes and making.engine.identify(image.reference)[0] == image.digest
        return image.model_copy(update={"modified": modified}) if same else None
    except (StudyError, OSError):
        return None


def _make(making: Making, kept: Path) -> Image:
    """Make it aside and move it to its place: whole or absent. A log that says why it failed stays."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{making.key}.", dir=kept.parent))
    except OSError as error:
        raise StudyError(f"{kept.parent}: cannot be written: {error.strerror or error}") from error
    aside.chmod(0o755)
    try:
        image = _look(making, aside, making.make(aside))
        if image.sif:
            image = image.model_copy(update={"reference": str(kept / image.sif.name)})
        write_model(aside / RECORD, image)
        try:
            aside.rename(kept)
        except OSError:  # there is one
            if other := recorded(making, kept):  # another process was faster, and runs may be in it
                return other
            shutil.rmtree(kept, ignore_errors=True)  # it is damaged
            aside.rename(kept)
    finally:
        if (log := aside / "build.log").exists():
            shutil.move(log, kept.with_name(f"{making.key}.log"))
        shutil.rmtree(aside, ignore_errors=True)
    return image


def _look(making: Making, folder: Path, reference: str) -> Image:
    """Digest, size, base and contents of what was made in a folder."""
    engine, spec = making.engine, making.spec
    inside = contents(engine, reference, making.source, spec.run_options)
    if spec.image:
        try_out(engine, reference, making.source, spec.run_options)
    digest, size = engine.identify(reference)
    image = Image(
        engine=engine.name,
        engine_version=engine.version(),
        builder=making.builder,
        reference=reference,
        digest=digest,
        size_bytes=size,
        source=making.source,
        base=making.base(folder, inside),
        contents=inside,
    )
    return image.model_copy(update={"modified": _facts(image.sif)[1]}) if image.sif else image


def _facts(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_size, int(facts.st_mtime)

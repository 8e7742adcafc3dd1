"""From config.yaml to the study on this machine; the Snakefile plans with it too."""

from pathlib import Path
from typing import TextIO

from scalestudy.container.prepare import PlannedImage, planned_image
from scalestudy.errors import StudyError
from scalestudy.records.machine import detect
from scalestudy.spec.container import ContainerSpec
from scalestudy.spec.expand import expand
from scalestudy.spec.layouts import Machine
from scalestudy.spec.reading import load_config
from scalestudy.spec.run import Study


def plan_study(path: Path, study: str | None = None, cluster: bool = False) -> Study:
    """All runs of a study, for this machine or for the cluster that the configuration describes.

    Raises StudyError for everything that is wrong with the configuration.
    """
    config = load_config(path, {"study": study} if study is not None else None)
    machine = Machine.of_cluster(config.cluster) if cluster else detect(config.machine, source=str(path))
    found = expand(config, machine, source=str(path))
    _check_compiler(found, config.container, source=str(path))
    return found.model_copy(update={"configuration": str(_from_here(path))})


def _check_compiler(study: Study, container: ContainerSpec, source: str) -> None:
    """torch.compile needs a compiler, and the image upon the default base has none."""
    lean = container.engine != "none" and not container.image and container.base == ContainerSpec().base
    if lean and (names := sorted({run.cell.workload for run in study.runs if run.workload.compile})):
        raise StudyError(
            f"{source}: workloads.{names[0]}.compile: found true; must be false in an image upon "
            f"{container.base}, which has no compiler, or container.base one that has"
        )


def _from_here(path: Path) -> Path:
    """The path as a reader of the report can use it: Snakemake makes every path absolute."""
    place, here = path.absolute(), Path.cwd()
    return place.relative_to(here) if place.is_relative_to(here) else Path(path.name)


def tell_what_is_planned(study: Study, to: TextIO) -> None:
    """What the plan chose by itself, and what the machine cannot run, a line each."""
    for note in study.notes:
        print(f"note: {note}", file=to)
    for reason in study.skipped:
        print(f"left out: {reason}", file=to)


def image_of(path: Path, cluster: bool = False) -> PlannedImage | None:
    """The image that the configuration asks for; None without one. Makes nothing.

    Raises StudyError when the engine or what builds the image is not installed, or cannot serve a cluster's nodes.
    """
    return planned_image(load_config(path), cluster)


def chosen_config(given: list[str], overrides: dict[str, object]) -> tuple[Path, str | None]:
    """The configuration file and study that ``snakemake --configfile FILE --config study=NAME`` ask for.

    Raises StudyError when there are several files, since a study is described by one, and for any other ``--config``.
    """
    for key in overrides:
        if key != "study":
            raise StudyError(f"--config: found {key}; only study=NAME can be given, put the rest into a --configfile")
    if len(given) > 1:
        raise StudyError(f"--configfile: found {len(given)} files; a study is described by one")
    study = overrides.get("study")
    return Path(given[0] if given else "config.yaml"), None if study is None else str(study)


def named_study(path: Path) -> str:
    """The study that a configuration names."""
    return load_config(path).study

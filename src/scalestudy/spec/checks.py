"""What a configuration must keep beyond its models: one small function per rule, all listed in CHECKS.

These rules need no machine; those that do stand in expand.py.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from scalestudy.spec.base import SpecModel
from scalestudy.spec.catalog import DATASETS, MODELS, STRATEGIES
from scalestudy.spec.config import Config, StrategyEntry, StudySpec
from scalestudy.spec.imports import import_problem
from scalestudy.spec.layouts import BY_MACHINE, parse, unsuitable
from scalestudy.spec.messages import Key, Problem, one_of, problems, show_value, suggestion
from scalestudy.spec.options import DATASET_OPTIONS, MODEL_OPTIONS, STRATEGY_OPTIONS, NoOptions, settings_of
from scalestudy.spec.workload import DataSpec, Workload
from scalestudy.spec.yaml_text import show_text

Check = Callable[[Config], Iterator[Problem]]


def train_images(data: DataSpec) -> int | None:
    """Training images that a data set has, before ``train`` cuts it; None for a user's own data set."""
    facts = DATASETS.get(data.name)
    return _size(data, "train", facts.train, facts.options) if facts else None


def test_images(data: DataSpec) -> int | None:
    """Likewise the test images."""
    facts = DATASETS.get(data.name)
    return _size(data, "test", facts.test, facts.options) if facts else None


def _size(data: DataSpec, part: str, known: int, options: tuple[str, ...]) -> int | None:
    given = data.options.get(part, known) if part in options else known
    return given if isinstance(given, int) else None


def _workloads(config: Config) -> Iterator[tuple[Key, Workload]]:
    for name, workload in config.workloads.items():
        yield ("workloads", name), workload


def _studies(config: Config) -> Iterator[tuple[Key, StudySpec]]:
    for name, study in config.studies.items():
        yield ("studies", name), study


def _entries(config: Config) -> Iterator[tuple[Key, StrategyEntry]]:
    for key, study in _studies(config):
        for place, entry in enumerate(study.entries):
            yield (*key, "strategies", place), entry


def _trained(config: Config) -> Iterator[tuple[Key, StudySpec, str, Workload]]:
    """Every workload of every study."""
    for key, study in _studies(config):
        for name in dict.fromkeys(study.workloads):
            if name in config.workloads:
                yield key, study, name, config.workloads[name]


def _study_exists(config: Config) -> Iterator[Problem]:
    if config.study not in config.studies:
        yield Problem(("study",), _not_one_of(config.study, "study", list(config.studies)))


def _workloads_exist(config: Config) -> Iterator[Problem]:
    for key, study in _studies(config):
        for place, name in enumerate(study.workloads):
            if name not in config.workloads:
                text = _not_one_of(name, "workload", list(config.workloads))
                yield Problem((*key, "workloads", place), text)


def _strategies_exist(config: Config) -> Iterator[Problem]:
    for key, study in _studies(config):
        for place, item in enumerate(study.strategies):
            name = item if isinstance(item, str) else item.name
            if name not in STRATEGIES:
                where = (*key, "strategies", place) if isinstance(item, str) else (*key, "strategies", place, "name")
                yield Problem(where, _not_one_of(name, "strategy", list(STRATEGIES)))


def _names_known(config: Config) -> Iterator[Problem]:
    for key, workload in _workloads(config):
        for part, name, known in (("data", workload.data.name, DATASETS), ("model", workload.model.name, MODELS)):
            if ":" in name or "." in name:
                text = import_problem(name)
            else:
                kind = "data set" if part == "data" else "model"
                text = None if name in known else _not_one_of(name, kind, list(known)) + _OR_PATH
            if text:
                yield Problem((*key, part, "name"), text)


_OR_PATH = " A class or function of your own is given by its import path, package.module:Name"


def _options_known(config: Config) -> Iterator[Problem]:
    for key, entry in _entries(config):
        if entry.name in STRATEGIES:
            yield from _options(STRATEGY_OPTIONS, entry.name, entry.options, (*key, "options"))
    for key, workload in _workloads(config):
        data, model = workload.data, workload.model
        if data.name in DATASETS:
            yield from _options(DATASET_OPTIONS, data.name, data.options, (*key, "data", "options"))
        if model.name in MODELS:
            yield from _options(MODEL_OPTIONS, model.name, model.options, (*key, "model", "options"))


def _options(models: dict[str, type[SpecModel]], name: str, options: dict[str, Any], key: Key) -> Iterator[Problem]:
    model = models.get(name, NoOptions)
    if model is NoOptions and options:
        yield Problem((*key, next(iter(options))), f"unknown key; {name} has no options")
        return
    try:
        model.model_validate(options)
    except ValidationError as error:
        yield from problems(error, model, key)


def _options_finite(config: Config) -> Iterator[Problem]:
    """Options of a user's own classes are free, but they must survive being written to run.json."""
    for key, workload in _workloads(config):
        for part, spec in (("data", workload.data), ("model", workload.model)):
            for name, value in spec.options.items():
                if not all(math.isfinite(number) for number in _floats(value)):
                    yield Problem((*key, part, "options", name), f"found {show_value(value)}; must be a finite number")


def _floats(value: Any) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, list | dict):
        for child in value.values() if isinstance(value, dict) else value:
            yield from _floats(child)


def _base_planned(config: Config) -> Iterator[Problem]:
    for key, study in _studies(config):
        if "serial" not in {entry.name for entry in study.entries}:
            yield Problem((*key, "strategies"), "found no serial; must name it, every speedup is measured against it")


def _nothing_twice(config: Config) -> Iterator[Problem]:
    for key, study in _studies(config):
        lists: dict[str, Sequence[object]] = {
            "workloads": study.workloads,
            "scalings": study.scalings,
            "seeds": study.seeds,
        }
        for name, values in lists.items():
            for place, value in _repeated(values):
                yield Problem((*key, name, place), f"found {value} a second time; must be listed once")
    for key, entry in _entries(config):
        for place, value in _repeated(entry.layouts):
            yield Problem((*key, "layouts", place), f"found {value} a second time; must be listed once")


def _entries_apart(config: Config) -> Iterator[Problem]:
    """A strategy stands in a study once, or several times with labels and other options."""
    for key, study in _studies(config):
        earlier: list[tuple[StrategyEntry, dict[str, Any] | None]] = []
        for place, entry in enumerate(study.entries):
            here, settings = (*key, "strategies", place), _settings(entry)
            if text := _label_problem(entry, [one for one, _ in earlier]):
                yield Problem((*here, "label") if entry.label else here, text)
            elif settings is not None and any((one.name, known) == (entry.name, settings) for one, known in earlier):
                right = f"must differ in an option from every other entry of {entry.name}; layouts go into one entry"
                yield Problem((*here, "options"), f"found the same options a second time; {right}")
            earlier.append((entry, settings))


def _label_problem(entry: StrategyEntry, earlier: Sequence[StrategyEntry]) -> str | None:
    """What is wrong with the label of an entry, or with its having none."""
    if entry.label is None:
        if all(one.label or one.name != entry.name for one in earlier):
            return None
        can_differ = entry.name in STRATEGY_OPTIONS and entry.name != "serial"
        way_out = ", or have a label and other options" if can_differ else ""
        return f"found {entry.name} a second time; must be listed once, with all its layouts in one entry{way_out}"
    if entry.name == "serial":
        return f"found {entry.label} for serial; must be left out, every speedup is measured against one base"
    if entry.label in STRATEGIES:
        return f"found {entry.label}, the name of a strategy; must be another name"
    if entry.label in {one.label for one in earlier}:
        return f"found {entry.label} a second time; must be another name"
    return None


def _settings(entry: StrategyEntry) -> dict[str, Any] | None:
    """Every option of the entry with its value; None where they are wrong, which another rule says."""
    try:
        return settings_of(entry.name, entry.options)
    except ValidationError:
        return None


def _repeated(values: Iterable[object]) -> Iterator[tuple[int, object]]:
    seen = set()
    for place, value in enumerate(values):
        if value in seen:
            yield place, value
        seen.add(value)


def _seeds_or_repeats(config: Config) -> Iterator[Problem]:
    for key, study in _studies(config):
        if study.seeds and study.repeats:
            yield Problem((*key, "repeats"), "found together with seeds; must be given alone, it chooses the seeds")
        elif not study.seeds and not study.repeats:
            text = "found no seed; must have at least one, such as [1, 2, 3], or repeats in its place"
            yield Problem((*key, "seeds"), text)
        elif study.repeats and study.repeats.min > study.repeats.max:
            right = f"must be at least min ({study.repeats.min})"
            yield Problem((*key, "repeats", "max"), f"found {study.repeats.max}; {right}")


def _layouts_suit(config: Config) -> Iterator[Problem]:
    for key, entry in _entries(config):
        for place, layout in enumerate(entry.layouts):
            if layout in BY_MACHINE or entry.name not in STRATEGIES:
                continue
            if text := unsuitable(entry.name, parse(layout)):
                yield Problem((*key, "layouts", place), f"found {layout}; {text}")


def _epochs_left_to_time(config: Config) -> Iterator[Problem]:
    for key, workload in _workloads(config):
        if workload.untimed_epochs >= workload.epochs:
            right = f"must be less than epochs ({workload.epochs}), or nothing is left to time"
            yield Problem((*key, "untimed_epochs"), f"found {workload.untimed_epochs}; {right}")
        if workload.warmup_epochs > workload.epochs:
            right = f"must be at most epochs ({workload.epochs})"
            yield Problem((*key, "warmup_epochs"), f"found {show_value(workload.warmup_epochs)}; {right}")


def _momentum_with_sgd(config: Config) -> Iterator[Problem]:
    for key, workload in _workloads(config):
        optimizer = workload.optimizer
        if optimizer.name == "adam" and optimizer.momentum:
            text = f"found {show_value(optimizer.momentum)} with adam; must be left out, it belongs to sgd"
            yield Problem((*key, "optimizer", "momentum"), text)


def _cuts_within_data(config: Config) -> Iterator[Problem]:
    for key, workload in _workloads(config):
        data = workload.data
        for part, words, cut, there in (
            ("train", "training", data.train, train_images(data)),
            ("test", "test", data.test, test_images(data)),
        ):
            if cut and there and cut > there:
                right = f"must be at most {there}, the {words} images of {data.name}"
                yield Problem((*key, "data", part), f"found {cut}; {right}")


def _batch_within_data(config: Config) -> Iterator[Problem]:
    for key, workload in _workloads(config):
        images = workload.data.train or train_images(workload.data)
        if images and workload.batch_size > images:
            right = f"must be at most {images}, the training images"
            yield Problem((*key, "batch_size"), f"found {workload.batch_size}; {right}")
        elif workload.accumulate > workload.batch_size:
            right = f"must be at most batch_size ({workload.batch_size})"
            yield Problem((*key, "accumulate"), f"found {workload.accumulate}; {right}")


def _weak_samples_given(config: Config) -> Iterator[Problem]:
    for key, study, name, workload in _trained(config):
        if "weak" in study.scalings and workload.weak_samples is None:
            text = f"missing; must be given for weak scaling in study {key[-1]}: training images per device"
            yield Problem(("workloads", name, "weak_samples"), text)


def _compression_has_messages(config: Config) -> Iterator[Problem]:
    """Compression works on messages, and shared memory sends none."""
    for name, study in config.studies.items():
        for place, entry in enumerate(study.entries):
            compressed = (entry.options.get("compression") or "none") != "none"
            if compressed and entry.options.get("communication") == "shared_memory":
                key: Key = ("studies", name, "strategies", place, "options", "communication")
                yield Problem(key, "found shared_memory with compression; must be auto or gloo, or compression none")


def _one_process_limits(config: Config) -> Iterator[Problem]:
    """SyncBatchNorm works on one device per process."""
    for key, study, name, workload in _trained(config):
        affected = list(dict.fromkeys(entry.name for entry in study.entries if _drives_several(entry.name)))
        if affected and workload.sync_batch_norm:
            right = f"must be false, or the study without {' and '.join(affected)} (several devices in one process)"
            yield Problem(("workloads", name, "sync_batch_norm"), f"found true in study {key[-1]}; {right}")


def _synchronized_whole(config: Config) -> Iterator[Problem]:
    """SyncBatchNorm over the pieces of an accumulated batch has other statistics than over the batch."""
    for key, workload in _workloads(config):
        if workload.sync_batch_norm and workload.accumulate > 1:
            right = "must be 1 with sync_batch_norm, whose statistics are those of a whole batch"
            yield Problem((*key, "accumulate"), f"found {workload.accumulate}; {right}")


def _drives_several(strategy: str) -> bool:
    """Whether one process of the strategy drives several devices."""
    facts = STRATEGIES.get(strategy)
    return facts is not None and facts.processes != "per_device" and facts.layout != "single"


def _container_agrees(config: Config) -> Iterator[Problem]:
    spec = config.container
    if spec.digest and not spec.image:
        right = "must be left out, since the digest of an image that is built here is not known before"
        yield Problem(("container", "digest"), f"found a digest without container.image; {right}")
    if spec.builder == "apptainer" and spec.engine in ("docker", "podman"):
        right = f"must be one of auto, podman, buildah, docker, since {spec.engine} runs no SIF"
        yield Problem(("container", "builder"), f"found apptainer for the engine {spec.engine}; {right}")
    if spec.engine in ("docker", "podman") and spec.image.endswith(".sif"):
        right = f"must be an address or a docker archive (.tar), since {spec.engine} runs no SIF"
        yield Problem(("container", "image"), f"found {show_text(spec.image)}; {right}")


def _not_one_of(found: str, kind: str, valid: Sequence[str]) -> str:
    hint = suggestion(found, valid)
    choices = "" if hint.startswith("must be") else f" Known: {one_of(valid).removeprefix('one of ')}."
    return f"found {show_text(found)}, no {kind} of that name; {hint}{choices}"


CHECKS: tuple[Check, ...] = (
    _study_exists,
    _workloads_exist,
    _strategies_exist,
    _names_known,
    _options_known,
    _options_finite,
    _base_planned,
    _nothing_twice,
    _entries_apart,
    _seeds_or_repeats,
    _layouts_suit,
    _epochs_left_to_time,
    _momentum_with_sgd,
    _cuts_within_data,
    _batch_within_data,
    _weak_samples_given,
    _one_process_limits,
    _synchronized_whole,
    _compression_has_messages,
    _container_agrees,
)


def violations(config: Config) -> list[Problem]:
    """Everything that the rules find, each mistake once."""
    return list(dict.fromkeys(problem for check in CHECKS for problem in check(config)))

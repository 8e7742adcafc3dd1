"""What a workload must keep beyond its model: one small function per rule, all listed in WORKLOAD_CHECKS."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from scalestudy.spec.catalog import DATASETS, MODELS
from scalestudy.spec.config import Config
from scalestudy.spec.data_sizes import test_images, train_images
from scalestudy.spec.imports import import_problem
from scalestudy.spec.messages import Key, Problem, not_one_of, show_value
from scalestudy.spec.model_errors import option_problems
from scalestudy.spec.options import DATASET_OPTIONS, MODEL_OPTIONS
from scalestudy.spec.workload import Workload


def _workloads(config: Config) -> Iterator[tuple[Key, Workload]]:
    for name, workload in config.workloads.items():
        yield ("workloads", name), workload


def _names_known(config: Config) -> Iterator[Problem]:
    for key, workload in _workloads(config):
        for part, name, known in (("data", workload.data.name, DATASETS), ("model", workload.model.name, MODELS)):
            if ":" in name or "." in name:
                text = import_problem(name)
            else:
                kind = "data set" if part == "data" else "model"
                text = None if name in known else not_one_of(name, kind, list(known)) + _OR_PATH
            if text:
                yield Problem((*key, part, "name"), text)


_OR_PATH = " A class or function of your own is given by its import path, package.module:Name"


def _options_known(config: Config) -> Iterator[Problem]:
    for key, workload in _workloads(config):
        data, model = workload.data, workload.model
        if data.name in DATASETS:
            yield from option_problems(DATASET_OPTIONS, data.name, data.options, (*key, "data", "options"))
        if model.name in MODELS:
            yield from option_problems(MODEL_OPTIONS, model.name, model.options, (*key, "model", "options"))


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


def _epochs_left_to_time(config: Config) -> Iterator[Problem]:
    for key, workload in _workloads(config):
        if workload.untimed_epochs >= workload.epochs:
            right = f"must be less than epochs ({workload.epochs}), or nothing is left to time"
            default = "" if "untimed_epochs" in workload.model_fields_set else " (the default)"
            yield Problem((*key, "untimed_epochs"), f"found {workload.untimed_epochs}{default}; {right}")
        yield from _above(
            (*key, "warmup_epochs"), workload.warmup_epochs, workload.epochs, f"epochs ({workload.epochs})"
        )


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
            if cut and there:
                yield from _above((*key, "data", part), cut, there, f"{there}, the {words} images of {data.name}")


def _batch_within_data(config: Config) -> Iterator[Problem]:
    for key, workload in _workloads(config):
        images = workload.data.train or train_images(workload.data)
        size = workload.batch_size
        if images:
            yield from _above((*key, "batch_size"), size, images, f"{images}, the training images")
        yield from _above((*key, "accumulate"), workload.accumulate, size, f"batch_size ({size})")


def _above(key: Key, found: float, most: float, named: str) -> Iterator[Problem]:
    """A number that is larger than it may be; ``named``: the limit in words."""
    if found > most:
        yield Problem(key, f"found {show_value(found)}; must be at most {named}")


def _synchronized_whole(config: Config) -> Iterator[Problem]:
    """SyncBatchNorm over the pieces of an accumulated batch has other statistics than over the batch."""
    for key, workload in _workloads(config):
        if workload.sync_batch_norm and workload.accumulate > 1:
            right = "must be 1 with sync_batch_norm, whose statistics are those of a whole batch"
            yield Problem((*key, "accumulate"), f"found {workload.accumulate}; {right}")


WORKLOAD_CHECKS: tuple[Callable[[Config], Iterator[Problem]], ...] = (
    _names_known,
    _options_known,
    _options_finite,
    _epochs_left_to_time,
    _momentum_with_sgd,
    _cuts_within_data,
    _batch_within_data,
    _synchronized_whole,
)

"""What a study must keep beyond its model: one small function per rule, all listed in STUDY_CHECKS."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from scalestudy.spec.catalog import STRATEGIES
from scalestudy.spec.config import Config, StrategyEntry, StudySpec
from scalestudy.spec.layouts import BY_MACHINE, parse, unsuitable
from scalestudy.spec.messages import Key, Problem, not_one_of
from scalestudy.spec.model_errors import option_problems
from scalestudy.spec.options import STRATEGY_OPTIONS, settings_of
from scalestudy.spec.workload import Workload


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
        yield Problem(("study",), not_one_of(config.study, "study", list(config.studies)))


def _workloads_exist(config: Config) -> Iterator[Problem]:
    for key, study in _studies(config):
        for place, name in enumerate(study.workloads):
            if name not in config.workloads:
                text = not_one_of(name, "workload", list(config.workloads))
                yield Problem((*key, "workloads", place), text)


def _strategies_exist(config: Config) -> Iterator[Problem]:
    for key, study in _studies(config):
        for place, item in enumerate(study.strategies):
            name = item if isinstance(item, str) else item.name
            if name not in STRATEGIES:
                where = (*key, "strategies", place) if isinstance(item, str) else (*key, "strategies", place, "name")
                yield Problem(where, not_one_of(name, "strategy", list(STRATEGIES)))


def _strategy_options_known(config: Config) -> Iterator[Problem]:
    for key, entry in _entries(config):
        if entry.name in STRATEGIES:
            yield from option_problems(STRATEGY_OPTIONS, entry.name, entry.options, (*key, "options"))


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


def _repeated(values: Iterable[object]) -> Iterator[tuple[int, object]]:
    seen = set()
    for place, value in enumerate(values):
        if value in seen:
            yield place, value
        seen.add(value)


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


def _weak_samples_given(config: Config) -> Iterator[Problem]:
    for key, study, name, workload in _trained(config):
        if "weak" in study.scalings and workload.weak_samples is None:
            text = f"missing; must be given for weak scaling in study {key[-1]}: training images per device"
            yield Problem(("workloads", name, "weak_samples"), text)


def _one_process_limits(config: Config) -> Iterator[Problem]:
    """SyncBatchNorm works on one device per process."""
    for key, study, name, workload in _trained(config):
        affected = list(dict.fromkeys(entry.name for entry in study.entries if _drives_several(entry.name)))
        if affected and workload.sync_batch_norm:
            right = f"must be false, or the study without {' and '.join(affected)} (several devices in one process)"
            yield Problem(("workloads", name, "sync_batch_norm"), f"found true in study {key[-1]}; {right}")


def _drives_several(strategy: str) -> bool:
    """Whether one process of the strategy drives several devices."""
    facts = STRATEGIES.get(strategy)
    return facts is not None and facts.processes != "per_device" and facts.layout != "single"


def _compression_has_messages(config: Config) -> Iterator[Problem]:
    """Compression works on messages, and shared memory sends none."""
    for name, study in config.studies.items():
        for place, entry in enumerate(study.entries):
            compressed = (entry.options.get("compression") or "none") != "none"
            if compressed and entry.options.get("communication") == "shared_memory":
                key: Key = ("studies", name, "strategies", place, "options", "communication")
                yield Problem(key, "found shared_memory with compression; must be auto or gloo, or compression none")


STUDY_CHECKS: tuple[Callable[[Config], Iterator[Problem]], ...] = (
    _study_exists,
    _workloads_exist,
    _strategies_exist,
    _strategy_options_known,
    _base_planned,
    _nothing_twice,
    _entries_apart,
    _seeds_or_repeats,
    _layouts_suit,
    _weak_samples_given,
    _one_process_limits,
    _compression_has_messages,
)

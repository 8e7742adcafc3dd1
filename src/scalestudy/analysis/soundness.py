"""Numbers that no measurement can give: they are named, and the part of the record that holds them is left out.

What a result cannot be without, its epochs, is judged in reading.py: without them it counts as missing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from scalestudy.analysis.device_columns import COUNTS, DeviceColumns
from scalestudy.records.probe import AllReduce, Probe, Throughput
from scalestudy.records.result import PHASES, CommunicationCost, DevicePhases, Result

LARGEST = 1e12
"""No time in seconds is longer, some 30,000 years: sums and squares of such times still are numbers."""
SHORTEST_S = 1e-9
"""No time that is divided by is shorter."""
MOST = 10**18
"""No count and no size in bytes is larger."""
ROUNDING = 0.01
"""A share, or a phase beside the time of its steps, may lie below 0 by this much of the whole."""
UNSOUND = "impossible numbers"
"""As runs.csv names it."""
NOT_USED = "left out: the record holds impossible numbers"

_PHASES_OF = attrgetter(*PHASES)
Found = tuple[str, object]
"""The field and the value that is wrong with it."""


def is_time(value: float) -> bool:
    """Whether it can be a time that is divided by."""
    return SHORTEST_S <= value <= LARGEST


def is_duration(value: float) -> bool:
    """Whether it can be a time that may be 0."""
    return 0 <= value <= LARGEST


def _is_count(value: int) -> bool:
    return 0 <= value <= MOST


def _is_share(value: float | None) -> bool:
    return value is None or -ROUNDING <= value <= 1 + ROUNDING


def _sound_columns(phases: Sequence[DevicePhases]) -> DeviceColumns | None:
    """The phases of all devices where nothing is wrong with any, looked at all at once: a study has thousands."""
    try:
        columns = DeviceColumns.of(phases)
    except OverflowError:  # a count beyond all floats
        return None
    time_s = columns.column("time_s")
    counts = np.array([columns.column(name) for name in COUNTS])
    values = np.array([columns.column(name) for name in PHASES])
    within = (values >= -ROUNDING * time_s) & (values <= LARGEST)
    sound = (
        np.all((time_s >= 0) & (time_s <= LARGEST))
        and np.all((counts >= 0) & (counts <= MOST))
        and all(getattr(phases[device], PHASES[phase]) is None for phase, device in np.argwhere(~within).tolist())
    )
    return columns if sound else None


def _phases(result: Result) -> Iterator[Found]:
    for number, device in enumerate(result.phases):
        if not is_duration(device.time_s):
            yield f"phases[{number}].time_s", device.time_s
        elif not _is_count(device.steps):
            yield f"phases[{number}].steps", device.steps
        elif not _is_count(device.device):
            yield f"phases[{number}].device", device.device
        else:
            least, values = -ROUNDING * device.time_s, _PHASES_OF(device)
            for name, value in zip(PHASES, values, strict=True):
                if value is not None and not least <= value <= LARGEST:
                    yield f"phases[{number}].{name}", value


def _cost(result: Result) -> Iterator[Found]:
    if (cost := result.communication_cost) is None:
        return
    if len(cost.with_s) != len(cost.without_s):
        yield "communication_cost.with_s/without_s", (len(cost.with_s), len(cost.without_s))
    for name, values in (("with_s", cost.with_s), ("without_s", cost.without_s)):
        yield from ((f"communication_cost.{name}", value) for value in values if not is_time(value))


def _startup(result: Result) -> Iterator[Found]:
    if result.startup is not None:
        times = result.startup.model_dump().items()
        yield from ((f"startup.{name}", value) for name, value in times if not is_duration(value))


def _total(result: Result) -> Iterator[Found]:
    if not is_duration(result.total_s):
        yield "total_s", result.total_s


def _load(result: Result) -> Iterator[Found]:
    for epoch in result.epochs:
        if not _is_share(epoch.foreign_load):
            yield f"epochs[{epoch.epoch}].foreign_load", epoch.foreign_load


def _memory(result: Result) -> Iterator[Found]:
    if not _is_count(result.peak_memory_bytes or 0):
        yield "peak_memory_bytes", result.peak_memory_bytes


def _model(result: Result) -> Iterator[Found]:
    counts = [("parameters", result.parameters), ("gradient_bytes", result.gradient_bytes)]
    for number, layer in enumerate(result.layers):
        counts += [(f"layers[{number}]", count) for count in (layer.parameters, *layer.output_shape)]
    yield from ((name, count) for name, count in counts if not _is_count(count))


def _resumed(result: Result) -> Iterator[Found]:
    if not _is_count(result.resumed):
        yield "resumed", result.resumed


def _provenance(result: Result) -> Iterator[Found]:
    if (where := result.provenance) is not None:
        counts = [("cores", where.cores), ("memory_bytes", where.memory_bytes)]
        counts += [("threads_per_rank", where.threads_per_rank)]
        counts += [("pinned", core) for cores in where.pinned for core in cores]
        yield from ((f"provenance.{name}", count) for name, count in counts if not _is_count(count))


class _Part(NamedTuple):
    """A part of a result: what is wrong with it, and what stands in its place then."""

    wrong: Callable[[Result], Iterator[Found]]
    without: Callable[[Result], dict[str, Any]]


_PARTS = (
    _Part(_cost, lambda _: {"communication_cost": CommunicationCost(reason=NOT_USED)}),
    _Part(_startup, lambda _: {"startup": None}),
    _Part(_total, lambda _: {"total_s": 0.0}),
    _Part(
        _load,
        lambda result: {"epochs": [epoch.model_copy(update={"foreign_load": None}) for epoch in result.epochs]},
    ),
    _Part(_memory, lambda _: {"peak_memory_bytes": None}),
    _Part(_model, lambda _: {"parameters": 0, "gradient_bytes": 0, "layers": []}),
    _Part(_resumed, lambda _: {"resumed": 0, "total_s": 0.0}),  # only a run known to be uninterrupted has an end to end
    _Part(_provenance, lambda _: {"provenance": None}),
)


def sound_result(result: Result) -> tuple[Result, list[str]]:
    """The result without the parts that hold impossible numbers, and for each of these what was found."""
    changes: dict[str, Any] = {}
    flaws = []
    if (columns := _sound_columns(result.phases)) is not None:
        changes["phases"] = columns
    elif wrong := next(_phases(result), None):
        changes |= {"phases": [], "phases_reason": NOT_USED}
        flaws.append(_said(*wrong))
    for part in _PARTS:
        if wrong := next(part.wrong(result), None):
            changes |= part.without(result)
            flaws.append(_said(*wrong))
    return (result.model_copy(update=changes) if changes else result), flaws


def sound_probe(probe: Probe) -> tuple[Probe, list[str]]:
    """Likewise of a probe: without the samples that hold impossible numbers, and without a size measured before."""
    flaws: list[str] = []

    def kept(name: str, values: Iterable[Any], wrong: Callable[[Any], Iterator[Found]]) -> list[Any]:
        sound = []
        for number, value in enumerate(values):
            if found := next(wrong(value), None):
                flaws.append(_said(f"{name}[{number}].{found[0]}", found[1]))
            else:
                sound.append(value)
        return sound

    sizes: set[tuple[str, int]] = set()

    ranks = {"all": probe.nodes * probe.devices_per_node, "nodes": probe.nodes}

    def throughput_flaws(work: Throughput) -> Iterator[Found]:
        yield from _throughput(work)
        counts = [len(times_s) for times_s in work.together_s]  # each of the layout's devices has its time
        yield from (("together_s/devices", count) for count in counts if count != ranks["all"])

    def reduce_flaws(sample: AllReduce) -> Iterator[Found]:
        yield from _reduce(sample)
        if sample.ranks != ranks[sample.group]:
            yield "ranks", sample.ranks
        if (sample.group, sample.bytes) in sizes:
            yield "bytes/repeated", sample.bytes
        sizes.add((sample.group, sample.bytes))

    changes: dict[str, Any] = {
        "throughput": kept("throughput", probe.throughput, throughput_flaws),
        "all_reduce": kept("all_reduce", probe.all_reduce, reduce_flaws),
    }
    if not _is_share(probe.foreign_load):
        flaws.append(_said("foreign_load", probe.foreign_load))
        changes["foreign_load"] = None
    return (probe.model_copy(update=changes) if flaws else probe), flaws


def _throughput(work: Throughput) -> Iterator[Found]:
    for name in ("amount", "alone_amount"):
        if not 1 <= getattr(work, name) <= MOST:
            yield name, getattr(work, name)
    if not _is_count(work.batch_size):
        yield "batch_size", work.batch_size
    if not work.alone_s or len(work.alone_s) != len(work.together_s):
        yield "alone_s/together_s", (len(work.alone_s), len(work.together_s))
    for name, values in (("alone_s", [work.alone_s]), ("together_s", work.together_s)):
        for times_s in values:
            yield from ((name, time_s) for time_s in times_s or [0.0] if not is_time(time_s))


def _reduce(sample: AllReduce) -> Iterator[Found]:
    if not 0 < sample.bytes <= MOST:
        yield "bytes", sample.bytes
    if not 1 <= sample.ranks <= MOST:
        yield "ranks", sample.ranks
    yield from (("time_s", time_s) for time_s in sample.time_s or [0.0] if not is_time(time_s))


def _said(field: str, value: object) -> str:
    if isinstance(value, int) and abs(value) > MOST:
        value = "a number of more than 18 digits"
    shown = str(value)
    return f"{field}: found {shown}, which cannot be; this part is not used"

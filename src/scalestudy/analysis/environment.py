"""What the jobs recorded about where and with what they ran."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from scalestudy.analysis.collect import CollectedRun, Collection
from scalestudy.analysis.language import ENGLISH, Language
from scalestudy.records.provenance import Provenance
from scalestudy.records.report import EnvironmentRow

Part = Literal["architecture", "provenance"]
Recorded = tuple[CollectedRun, Provenance]
Check = Literal["failed run", "parity check", "probe"]
"""What is judged by, or compared with, the completed runs: it should have run in what they ran in."""
CHECKS: tuple[Check, ...] = ("failed run", "parity check", "probe")
GIB = 2**30
WAYS = {"(shared_memory": "shared memory", "(gloo": "gloo", "(nccl": "nccl"}
"""How a strategy records what carried the gradients, in the brackets of its implementation; and its name."""


@dataclass(frozen=True)
class Item:
    """A line of the environment table."""

    title: str
    read: Callable[[Provenance], str]
    uniform: bool = True
    """All runs of a study should have the same value."""
    part: Part = "architecture"
    parts: bool = False
    """Parts of a run that was interrupted may differ, and recorded it."""
    checks: tuple[Check, ...] = ()
    """And these too. Parity is exact arithmetic on any machine; a probe is of the machine; of a failed run its place
    alone is known."""
    write: Callable[[Language, str], str] = Language.say
    """How a language has a value: as a phrase, or as a number."""


PROCESS_GROUP = Item("Process group", lambda p: p.backend, uniform=False)
ITEMS = (
    Item("Processor", lambda p: p.processor, checks=("failed run", "probe")),
    Item("Cores that a run may use", lambda p: str(p.cores) if p.cores else "", uniform=False),
    Item(
        "Memory",
        lambda p: f"{p.memory_bytes / GIB:.1f} GiB" if p.memory_bytes else "",
        uniform=False,
        write=Language.number,
    ),
    Item("Accelerators", lambda p: ", ".join(sorted(set(p.accelerators))), checks=("probe",)),
    Item("Operating system", lambda p: p.os),
    Item("Kernel", lambda p: p.kernel),
    Item("Python", lambda p: p.python, checks=CHECKS),
    Item("PyTorch", lambda p: p.torch, checks=CHECKS),
    Item("CUDA", lambda p: p.cuda),
    PROCESS_GROUP,
    Item("Network interfaces", lambda p: ", ".join(p.network), uniform=False),
    Item("Threads per rank", lambda p: str(p.threads_per_rank), uniform=False),
    Item("Scheduler", lambda p: f"SLURM, {', '.join(names)}" if (names := _slurm(p)) else "", uniform=False),
    Item(
        "Memory allocator",
        lambda p: "told to keep freed memory" if p.malloc_tuned else "as the system has it",
        part="provenance",
    ),
    Item("Container", lambda p: f"{p.engine} {p.engine_version}".strip() or "none", checks=CHECKS),
    Item("Image", lambda p: p.image_digest or "none", parts=True, checks=CHECKS),
    Item("scalestudy", lambda p: p.version, part="provenance", checks=CHECKS),
    Item("Source commit", lambda p: p.commit, part="provenance", checks=CHECKS),
)


def environment_rows(collection: Collection, language: Language) -> list[EnvironmentRow]:
    """One line per item that any run recorded; several values are listed with what recorded them."""
    rows = _rows(collection, language)
    pairs = zip(rows, rows if language is ENGLISH else _rows(collection, ENGLISH), strict=True)
    return [row.model_copy(update={"key": plain.item, "found": plain.value}) for row, plain in pairs]


def _rows(collection: Collection, language: Language) -> list[EnvironmentRow]:
    recorded, checks = _recorded(collection.runs), list(_checks(collection))
    by_run = [provenance for _, provenance in recorded]
    hosts = sorted({host for _, provenance in _started(collection.runs) for host in provenance.hosts})
    rows = [EnvironmentRow(item=language.say("Hosts"), value=", ".join(hosts), part="architecture")]
    for item in ITEMS:
        values = _of_runs(item.read(one) for one in (_by_parts(recorded) if item.parts else by_run))
        values.update(
            (check, item.read(provenance)) for check, provenance in checks if check in item.checks and recorded
        )
        rows.append(_row(language.say(item.title), values, item.uniform, item.part, language, item.write))
        if item is PROCESS_GROUP:
            exchanged = _of_runs(_exchange(run.result.implementation) for run, _ in recorded if run.result)
            rows.append(_row(language.say("Gradients between processes"), exchanged, False, item.part, language))
    data: dict[str, list[str]] = {}
    for run, provenance in recorded:
        data.setdefault(run.run.cell.workload, []).append(provenance.data_sha256)
    for workload, sums in data.items():
        title = language.say("Data of {workload} (SHA-256)", workload=workload)
        rows.append(_row(title, _of_runs(sums), True, "provenance", language))
    return [row for row in rows if row.value]


def environment_problems(rows: Sequence[EnvironmentRow], language: Language) -> list[str]:
    """One line for each item on which the records disagree."""
    text = "records disagree on {item}: {values}"
    return [language.say(text, item=row.item, values=row.value) for row in rows if row.conflict]


def commit_of(runs: Sequence[CollectedRun]) -> str:
    """The commit that the runs recorded, or all of them."""
    return ", ".join(dict.fromkeys(provenance.commit for _, provenance in _started(runs) if provenance.commit))


def image_of(runs: Sequence[CollectedRun]) -> str:
    """Digest of the container image that the runs recorded, or all of them; empty when they were in none."""
    digests = (provenance.image_digest for provenance in _by_parts(_started(runs)))
    return ", ".join(dict.fromkeys(digest for digest in digests if digest))


def last_day(runs: Sequence[CollectedRun]) -> str:
    """ISO day on which the last run started, UTC; empty when none recorded it."""
    return max((provenance.started for _, provenance in _started(runs)), default="")[:10]


def device_name(runs: Sequence[CollectedRun]) -> str:
    """What one device of the study is called."""
    if any(run.run.device == "cuda" for run in runs):
        return "GPU"
    return "CPU device" if any(run.run.cores_per_device > 1 for run in runs) else "CPU core"


def _recorded(runs: Sequence[CollectedRun]) -> list[Recorded]:
    """The completed runs, with their provenance."""
    return [(run, run.result.provenance) for run in runs if run.result and run.result.provenance]


def _by_parts(recorded: Sequence[Recorded]) -> Iterator[Provenance]:
    """Provenance of each run, once for each image that parts of it ran in."""
    for run, provenance in recorded:
        for digest in sorted(run.result.images) if run.result else [provenance.image_digest]:
            same = digest == provenance.image_digest
            yield provenance if same else provenance.model_copy(update={"image_digest": digest})


def _exchange(implementation: str) -> str:
    """What carried a run's gradients between processes; empty where one process has all devices."""
    return next((name for recorded, name in WAYS.items() if recorded in implementation), "")


def _failed(runs: Sequence[CollectedRun]) -> list[Recorded]:
    return [(run, run.failure.provenance) for run in runs if run.failure and run.failure.provenance]


def _started(runs: Sequence[CollectedRun]) -> list[Recorded]:
    """The runs that left a record, however they ended."""
    return [*_recorded(runs), *_failed(runs)]


def _checks(collection: Collection) -> Iterator[tuple[Check, Provenance]]:
    """What else recorded with what it ran: each run that failed, the parity check and each probe with numbers."""
    for _, provenance in _failed(collection.runs):
        yield "failed run", provenance
    if collection.parity_provenance:
        yield "parity check", collection.parity_provenance
    for probe in collection.probes:
        if probe.provenance and not probe.error:
            yield "probe", probe.provenance


def _slurm(provenance: Provenance) -> list[str]:
    """Partition and cluster, where SLURM named them."""
    keys = ("SLURM_CLUSTER_NAME", "SLURM_JOB_PARTITION")
    return [value for key in keys if (value := provenance.slurm.get(key))]


def _of_runs(values: Iterable[str]) -> Counter[tuple[str, str]]:
    """What runs recorded, counted: of thousands nearly all say the same."""
    return Counter({("run", value): n for value, n in Counter(values).items()})


def _row(
    title: str,
    values: Counter[tuple[str, str]],
    uniform: bool,
    part: Part,
    language: Language,
    write: Callable[[Language, str], str] = Language.say,
) -> EnvironmentRow:
    """The line of the values, each with what recorded it, a run or a check, and how often."""
    by_value: dict[str, Counter[str]] = {}
    for (source, value), n in values.items():
        if value:
            by_value.setdefault(write(language, value), Counter())[source] += n
    if len(by_value) <= 1:
        return EnvironmentRow(item=title, value=next(iter(by_value), ""), part=part)
    ordered = sorted(by_value.items(), key=lambda pair: -pair[1].total())
    listed = [f"{value} ({', '.join(_counted(counts, language))})" for value, counts in ordered]
    judged = [counts for _, counts in ordered if counts.keys() - {"failed run"}]
    apart = sum((counts for _, counts in ordered if "run" not in counts), Counter[str]())
    return EnvironmentRow(
        item=title,
        value="; ".join(listed),
        part=part,
        conflict=uniform and len(judged) > 1,  # no number is of a run that failed
        runs_differ=sum("run" in counts for _, counts in ordered) > 1,
        apart=list(_counted(apart, language)),
    )


def _counted(counts: Counter[str], language: Language) -> Iterator[str]:
    """``12 runs``, ``1 probe``; of the parity check there is one."""
    for source, n in counts.items():
        yield language.say(PLURALS[source, n > 1], n=n)


PLURALS = {
    ("run", False): "{n} run",
    ("run", True): "{n} runs",
    ("failed run", False): "{n} failed run",
    ("failed run", True): "{n} failed runs",
    ("parity check", False): "parity check",
    ("probe", False): "{n} probe",
    ("probe", True): "{n} probes",
}
"""What recorded a value, and whether it is several: the words for them."""

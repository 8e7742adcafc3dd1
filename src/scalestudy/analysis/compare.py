"""Two studies of the same cells: is the second faster, and what differs in where and with what they ran?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from scalestudy.analysis.cells import CellKey, key_of, what_is_wrong
from scalestudy.analysis.comparisons import time_verdict
from scalestudy.analysis.statistics import LEVEL, SMALLEST_N, ratio
from scalestudy.records.report import ReportData, RunRow

Verdict = Literal["faster", "slower", "not separated", "not computed", "missing"]
JUDGED = ("faster", "slower", "not separated")


@dataclass(frozen=True)
class CellComparison:
    """One cell in both studies. Times are medians of epoch times in seconds."""

    cell: CellKey
    n: int
    """Runs in the first study."""
    other_n: int
    time_s: float | None
    other_time_s: float | None
    ratio: float | None
    """Time in the second study over time in the first: below 1, the second is faster."""
    low: float | None
    high: float | None
    """Together, the intervals of all cells hold the true ratios with 95 %."""
    verdict: Verdict
    note: str = ""
    expected: bool = True
    """Whether the first study planned it."""


@dataclass(frozen=True)
class Difference:
    """An item of the environment on which the studies differ; empty where one did not record it."""

    item: str
    first: str
    second: str


@dataclass(frozen=True)
class StudyComparison:
    """All cells of both studies, and what differs around them."""

    cells: list[CellComparison]
    differences: list[Difference]

    @property
    def slower(self) -> int:
        """Cells in which the second study is slower."""
        return sum(cell.verdict == "slower" for cell in self.cells)

    @property
    def missing(self) -> int:
        """Cells without a time in the second study that have one in the first."""
        return sum(cell.time_s is not None and cell.other_time_s is None for cell in self.cells)

    @property
    def unjudged(self) -> int:
        """Cells of the first study, missing ones apart, of which nothing can be said; all where none was judged."""
        known = [cell for cell in self.cells if cell.verdict in JUDGED]
        lost = [cell for cell in self.cells if cell.expected and cell.verdict not in JUDGED]
        return len(lost) - self.missing if known else len(self.cells)


def compare_studies(first: ReportData, second: ReportData) -> StudyComparison:
    """The second study against the first. Intervals are widened for the number of cells (Bonferroni): of studies that
    do not differ, 5 % have any cell called faster or slower."""
    times = [_times(data.runs) for data in (first, second)]
    keys = list(dict.fromkeys(key_of(run) for data in (first, second) for run in data.runs if not run.oversubscribed))
    work = [{key_of(row): row.settings for row in data.work} for data in (first, second)]
    wrong = {key: reason for key in keys if (reason := _wrong(key, first, second) or _other_work(key, *work))}
    shared = sum(key in times[0] and key in times[1] and key not in wrong for key in keys)
    level = 1 - (1 - LEVEL) / max(1, shared)
    planned = {key_of(run) for run in first.runs if not run.oversubscribed}
    cells = [
        replace(
            _cell(key, times[0].get(key, []), times[1].get(key, []), level, wrong.get(key, "")), expected=key in planned
        )
        for key in keys
    ]
    differences = [*_differences(first, second), *_differences_of_epochs(first, second), *_differences_of_work(*work)]
    return StudyComparison(cells, differences)


def _times(runs: Sequence[RunRow]) -> dict[CellKey, list[float]]:
    """Epoch times of the completed runs that enter numbers, by cell; oversubscribed ones are no times."""
    found: dict[CellKey, list[float]] = {}
    for run in runs:
        if run.epoch_time_s is not None and not run.excluded and not run.oversubscribed:
            found.setdefault(key_of(run), []).append(run.epoch_time_s)
    return found


def _wrong(key: CellKey, first: ReportData, second: ReportData) -> str:
    """In which study the cell does not compute what serial training computes, and why; empty: in none."""
    reasons = []
    for where, data in (("first", first), ("second", second)):
        failed = [row for row in data.parity if not row.passed]
        if reason := what_is_wrong(key, failed, {run.workload for run in data.runs}):
            reasons.append(f"{reason} in the {where} study")
    return "; ".join(reasons)


Work = Mapping[CellKey, Mapping[str, str]]


def _changes(key: CellKey, first: Work, second: Work) -> list[Difference]:
    """The settings of a cell that differ; none where a study does not have it."""
    one, other = first.get(key), second.get(key)
    if one is None or other is None:
        return []
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return [Difference(name, one.get(name, ""), other.get(name, "")) for name in names]


def _other_work(key: CellKey, first: Work, second: Work) -> str:
    """In what the work of the cell differs between the studies; empty: in nothing that both recorded. A setting that
    only a later version has is listed among the differences."""
    names = [change.item for change in _changes(key, first, second) if change.first and change.second]
    return f"the studies do different work: {', '.join(names)}" if names else ""


def _differences_of_epochs(first: ReportData, second: ReportData) -> Iterator[Difference]:
    """How many epochs the runs of a workload have, and leave untimed: no reason not to compare times of an epoch."""
    others = {facts.name: facts for facts in second.workloads}
    for one in first.workloads:
        other = others.get(one.name, one)
        for item in ("epochs", "untimed_epochs"):
            values = getattr(one, item), getattr(other, item)
            if values[0] != values[1]:
                yield Difference(f"{one.name}: {item}", *map(str, values))


def _differences_of_work(first: Work, second: Work) -> Iterator[Difference]:
    """Each setting that differs, with the workload that it belongs to or, of options, the strategy; each once."""
    if bool(first) != bool(second):
        yield Difference("settings of the cells", *("recorded" if work else "" for work in (first, second)))
    found: dict[Difference, None] = {}
    for key in first:
        for change in _changes(key, first, second):
            owner = key.strategy if change.item.startswith(("options", "strategy")) else key.workload
            found[replace(change, item=f"{owner}: {change.item}")] = None
    yield from found


def _cell(key: CellKey, first: list[float], second: list[float], level: float, wrong: str) -> CellComparison:
    time_s = float(median(first)) if first else None
    other_time_s = float(median(second)) if second else None
    if time_s is None or other_time_s is None:
        where = "first" if time_s is None else "second"
        note = f"no run to compare in the {where} study"
        return CellComparison(key, len(first), len(second), time_s, other_time_s, None, None, None, "missing", note)
    if wrong:
        return CellComparison(
            key, len(first), len(second), time_s, other_time_s, None, None, None, "not computed", wrong
        )
    found = ratio(second, first, level)
    verdict = time_verdict(found)
    note = "" if verdict else f"no interval: fewer than {SMALLEST_N} runs in one of the studies"
    return CellComparison(
        key,
        len(first),
        len(second),
        time_s,
        other_time_s,
        found.value,
        found.low,
        found.high,
        verdict or "not computed",
        note,
    )


def _differences(first: ReportData, second: ReportData) -> list[Difference]:
    values = [{row.key or row.item: row.found or row.value for row in data.environment} for data in (first, second)]
    items = dict.fromkeys([*values[0], *values[1]])
    pairs = [(item, values[0].get(item, ""), values[1].get(item, "")) for item in items]
    return [Difference(item, one, other) for item, one, other in pairs if one != other]

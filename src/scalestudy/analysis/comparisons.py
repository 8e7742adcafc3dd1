"""comparison.csv: every two cells of a workload and scaling on equally many devices."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Literal

from scalestudy.analysis.cells import CellRuns
from scalestudy.analysis.statistics import Estimate, holds_one, ratio
from scalestudy.records.findings import ComparisonRow


def comparison_rows(cells: Sequence[CellRuns]) -> list[ComparisonRow]:
    """One row per pair of parallel cells that are both comparable, in the order of the plan."""
    return list(_rows(cells))


def _rows(cells: Sequence[CellRuns]) -> Iterator[ComparisonRow]:
    groups: dict[tuple[str, str, int], list[CellRuns]] = {}
    for cell in cells:
        if cell.is_comparable and cell.cell.strategy != "serial":
            groups.setdefault((cell.cell.workload, cell.cell.scaling, cell.cell.devices), []).append(cell)
    for group in groups.values():
        yield from (compared(first, second) for first, second in combinations(group, 2))


def compared(first: CellRuns, second: CellRuns) -> ComparisonRow:
    """The first against the second: both comparable, on equally many devices."""
    found = ratio(first.times_s, second.times_s)
    return ComparisonRow(
        workload=first.cell.workload,
        scaling=first.cell.scaling,
        devices=first.cell.devices,
        strategy=first.cell.variant,
        nodes=first.cell.nodes,
        n=len(first.times_s),
        other_strategy=second.cell.variant,
        other_nodes=second.cell.nodes,
        other_n=len(second.times_s),
        ratio=found.value,
        low=found.low,
        high=found.high,
        method=found.method,
        verdict=time_verdict(found) or "not computed",
    )


def time_verdict(found: Estimate) -> Literal["faster", "slower", "not separated"] | None:
    """What a ratio of times says of its numerator; None without an interval."""
    if found.low is None or found.high is None:
        return None
    if holds_one(found.low, found.high):
        return "not separated"
    return "faster" if found.high < 1 else "slower"

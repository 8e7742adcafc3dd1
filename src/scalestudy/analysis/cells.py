"""Runs grouped into cells, and the base of a cell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter
from typing import NamedTuple

from scalestudy.analysis.collect import CollectedRun, Collection, epoch_time_s, images_per_epoch
from scalestudy.records.base import OfCell
from scalestudy.records.parity import ParityRow
from scalestudy.records.result import Result
from scalestudy.spec.run import Cell

SHARED_BASE = ("epoch", "strong")
"""Scalings whose base is the same run, planned once under either."""


class CellKey(NamedTuple):
    """What identifies a cell in every table."""

    workload: str
    scaling: str
    strategy: str
    nodes: int
    devices: int


def key_of(row: OfCell) -> CellKey:
    """The key of the cell that the row is about."""
    return CellKey(row.workload, row.scaling, row.strategy, row.nodes, row.devices)


@dataclass(frozen=True)
class CellRuns:
    """A cell with all its planned runs."""

    cell: Cell
    runs: Sequence[CollectedRun]
    wrong: str = ""
    """Why the strategy does not compute what serial training computes; empty when no parity check says so."""

    @cached_property
    def key(self) -> CellKey:
        """The key of the cell."""
        cell = self.cell
        return CellKey(cell.workload, cell.scaling, cell.variant, cell.nodes, cell.devices)

    @cached_property
    def usable(self) -> list[CollectedRun]:
        """The completed runs that enter the numbers."""
        return [run for run in self.runs if run.result is not None and not run.row.excluded]

    @cached_property
    def results(self) -> list[Result]:
        """Records of the completed runs that enter the numbers."""
        return [run.result for run in self.usable if run.result is not None]

    @cached_property
    def containers(self) -> set[str]:
        """Digests of the images that the completed runs ran in; empty text: none."""
        return set().union(*(result.images for result in self.results))

    @cached_property
    def times_s(self) -> list[float]:
        """Epoch time of each completed run."""
        return [epoch_time_s(result) for result in self.results]

    @cached_property
    def totals_s(self) -> list[float]:
        """Wall-clock time of each completed run that was not resumed, start-up included."""
        return [result.total_s for result in self.results if not result.resumed and result.total_s > 0]

    @cached_property
    def accuracies(self) -> list[float]:
        """Final test accuracy of each completed run that has one."""
        return [run.row.accuracy for run in self.usable if run.row.accuracy is not None]

    @cached_property
    def sized(self) -> Result | None:
        """The record of the middle one of its gradient sizes; None where no run has one: a damaged size is 0."""
        known = sorted((one for one in self.results if one.gradient_bytes > 0), key=attrgetter("gradient_bytes"))
        return known[(len(known) - 1) // 2] if known else None

    @property
    def images(self) -> int:
        """Training images of an epoch over all devices. Needs a completed run."""
        return images_per_epoch(self.results[0])

    @property
    def oversubscribed(self) -> bool:
        """Whether any run had more devices than the machine has."""
        return any(run.run.oversubscribed for run in self.runs)

    @property
    def is_compressed(self) -> bool:
        """Whether its gradients lose precision on the way, which the parity check leaves out."""
        return any(run.run.strategy_options.get("compression") not in (None, "none") for run in self.runs)

    @property
    def is_comparable(self) -> bool:
        """Whether its time may stand in a ratio."""
        return bool(self.results) and not self.oversubscribed and not self.wrong


def cells_of(collection: Collection) -> list[CellRuns]:
    """The cells of the study in the order of the plan."""
    groups: dict[str, list[CollectedRun]] = {}
    for run in collection.runs:
        groups.setdefault(run.run.cell.id, []).append(run)
    workloads = {run.run.cell.workload for run in collection.runs}
    failed = [row for row in collection.parity if not row.passed]
    planned = [CellRuns(runs[0].run.cell, runs) for runs in groups.values()]
    return [replace(cell, wrong=what_is_wrong(cell.key, failed, workloads)) for cell in planned]


def base_of(cell: Cell, cells: Sequence[CellRuns]) -> CellRuns | None:
    """The serial cell that a cell is compared with: same workload, same scaling or one that shares the base."""
    return bases_in(cells)(cell)


def bases_in(cells: Sequence[CellRuns]) -> Callable[[Cell], CellRuns | None]:
    """``base_of`` for many cells: the serial ones are looked for once."""
    serial: dict[str, list[CellRuns]] = {}
    for one in cells:
        if one.cell.strategy == "serial":
            serial.setdefault(one.cell.workload, []).append(one)
    return lambda cell: _base(cell, serial.get(cell.workload, []))


def _base(cell: Cell, bases: Sequence[CellRuns]) -> CellRuns | None:
    scalings: list[str] = [cell.scaling]
    if cell.scaling in SHARED_BASE:
        scalings += [other for other in SHARED_BASE if other != cell.scaling]
    planned = [base for scaling in scalings for base in bases if base.cell.scaling == scaling]
    completed = [base for base in planned if base.results]
    return next(iter(completed or planned), None)


def what_is_wrong(cell: OfCell, failed: Sequence[ParityRow], workloads: set[str]) -> str:
    """Why a cell's strategy does not compute what serial training computes; empty when no failed check says so.

    A failed check counts for all layouts; one on a model outside the study counts for all workloads.
    """
    for row in failed:
        if row.strategy == cell.strategy and (row.workload == cell.workload or row.workload not in workloads):
            return (
                "parity check could not run" if row.gradient_error is None and row.error else "fails the parity check"
            )
    return ""

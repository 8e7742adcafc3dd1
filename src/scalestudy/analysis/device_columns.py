"""The phases of a run's devices as columns: there is a row for every device of every run, 700,000 in a large study."""

from collections.abc import Iterator, Sequence
from dataclasses import make_dataclass
from functools import cached_property
from math import isnan
from operator import attrgetter
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from scalestudy.records.result import PHASES, DevicePhases

COLUMNS = tuple(DevicePhases.model_fields)
_PLACES = {name: place for place, name in enumerate(COLUMNS)}
_VALUES = attrgetter(*COLUMNS)
COUNTS = frozenset({"device", "steps"})
Column = NDArray[np.float64]
Row: Any = make_dataclass("Row", COLUMNS, slots=True, frozen=True)
"""As DevicePhases, made in less time."""


class DeviceColumns(Sequence[DevicePhases]):
    """Reads as a list of DevicePhases, and holds ``[columns, devices]``; what was not measured is not a number."""

    def __init__(self, values: Column) -> None:
        self._values = values

    @classmethod
    def of(cls, phases: Sequence[DevicePhases]) -> "DeviceColumns":
        """From rows, or as it is."""
        if isinstance(phases, DeviceColumns):
            return phases
        rows = np.array(list(map(_VALUES, phases)), dtype=np.float64)  # None is not a number
        return cls(np.ascontiguousarray(rows.reshape(-1, len(COLUMNS)).T))

    @classmethod
    def from_bytes(cls, content: bytes) -> "DeviceColumns":
        """What ``to_bytes`` gave."""
        return cls(np.frombuffer(content, dtype=np.float64).reshape(len(COLUMNS), -1))

    def to_bytes(self) -> bytes:
        """The columns, one after the other."""
        return self._values.tobytes()

    def __len__(self) -> int:
        return int(self._values.shape[1])

    @overload
    def __getitem__(self, place: int) -> DevicePhases: ...
    @overload
    def __getitem__(self, place: slice) -> list[DevicePhases]: ...
    def __getitem__(self, place: int | slice) -> DevicePhases | list[DevicePhases]:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        return self._row(self._values[:, place].tolist())

    def __iter__(self) -> Iterator[DevicePhases]:
        return map(self._row, self._values.T.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    @staticmethod
    def _row(values: list[float]) -> DevicePhases:
        pairs = zip(COLUMNS, values, strict=True)
        row: DevicePhases = Row(
            *(int(value) if name in COUNTS else None if isnan(value) else value for name, value in pairs)
        )
        return row

    def column(self, name: str) -> Column:
        """Seconds (or a count) of every device; not a number where it was not measured."""
        found: Column = self._values[_PLACES[name]]
        return found

    @cached_property
    def totals(self) -> dict[str, float | None]:
        """The sum of each column over the devices; None where any device lacks it."""
        sums = self._values.sum(axis=1).tolist()
        return {name: None if isnan(total) else total for name, total in zip(COLUMNS, sums, strict=True)}

    def measured(self, *names: str) -> Column:
        """The sum of these columns for every device, without what was not measured."""
        columns = self._values[[_PLACES[name] for name in names]]
        columns[np.isnan(columns)] = 0.0  # in a copy, which is not kept: of a large study it would be 60 MB
        found: Column = columns.sum(axis=0)
        return found

    def first_not_adding_up(self, tolerance: float) -> int | None:
        """The first device that has phases, and whose do not add up to its step time within a share of it."""
        time_s = self.column("time_s")
        far = np.abs(self.measured(*PHASES) - time_s) > tolerance * time_s
        if far.any():
            phases = self._values[[_PLACES[name] for name in PHASES]]
            far &= ~np.isnan(phases).all(axis=0)
        return int(far.argmax()) if far.any() else None

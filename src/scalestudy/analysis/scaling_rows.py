"""The rows that a table or figure of one scaling has."""

from collections.abc import Sequence
from typing import TypeVar

from scalestudy.analysis.cells import SHARED_BASE
from scalestudy.records.base import OfCell

C = TypeVar("C", bound=OfCell)


def of_scaling(rows: Sequence[C], scaling: str) -> list[C]:
    """The rows of a scaling, the serial base of each workload included.

    On one device strong and epoch scaling are the same run, which a study plans and reports once: where one of the two
    lacks the base, it is the other's.
    """
    found = [row for row in rows if row.scaling == scaling]
    if scaling == "weak" or not found:
        return found
    based = {row.workload for row in found if row.strategy == "serial"}
    wanted = {row.workload for row in found} - based
    borrowed = [
        row for row in rows if row.strategy == "serial" and row.scaling in SHARED_BASE and row.workload in wanted
    ]
    return [*borrowed, *found]

"""What independent serial trainings reach on the layout of each cell, beside its speedup."""

from collections.abc import Sequence

from scalestudy.analysis.cells import CellRuns
from scalestudy.analysis.statistics import Estimate, quotient
from scalestudy.records.report import CeilingRow, SpeedupRow
from scalestudy.spec.probing import batch_of_device


def with_ceilings(
    rows: Sequence[SpeedupRow], cells: Sequence[CellRuns], ceilings: Sequence[CeilingRow]
) -> list[SpeedupRow]:
    """The rows of the cells, in their order, with the ceiling of those whose layout and batch size were probed."""
    return [_with_ceiling(row, _ceiling_of(cell, ceilings)) for row, cell in zip(rows, cells, strict=True)]


def _ceiling_of(cell: CellRuns, ceilings: Sequence[CeilingRow]) -> Estimate | None:
    """Of the cell's work: the probe's devices all have the largest share, where a batch does not divide among them."""
    if cell.cell.devices == 1:
        return None
    run, batch_size = cell.runs[0].run, batch_of_device(cell.runs[0].run)
    wanted = (cell.cell.nodes, cell.cell.devices, "training", cell.cell.workload, batch_size)
    for row in ceilings:
        if (row.nodes, row.devices, row.work, row.workload, row.batch_size) == wanted:
            found = Estimate(row.speedup, row.speedup_low, row.speedup_high)
            return found.scaled(run.global_batch / (batch_size * cell.cell.devices))
    return None


def _with_ceiling(row: SpeedupRow, ceiling: Estimate | None) -> SpeedupRow:
    if ceiling is None:
        return row
    share = None
    if row.speedup is not None:
        share = quotient(Estimate(row.speedup, row.speedup_low, row.speedup_high), ceiling)
    return row.model_copy(
        update={
            "ceiling_speedup": ceiling.value,
            "ceiling_low": ceiling.low,
            "ceiling_high": ceiling.high,
            "of_ceiling": share.value if share else None,
            "of_ceiling_low": share.low if share else None,
            "of_ceiling_high": share.high if share else None,
        }
    )

"""communication.csv: what communication takes of a step, as devices wait for it and as an A/B measurement sees it."""

from collections.abc import Sequence
from statistics import fmean, median

from scalestudy.analysis.cells import CellRuns
from scalestudy.analysis.device_columns import DeviceColumns
from scalestudy.analysis.statistics import Estimate, summarize_mean
from scalestudy.records.report import CommunicationRow
from scalestudy.records.result import CommunicationCost, Result

NOT_APART = "exposed communication: not told apart from computing"


def communication_rows(cells: Sequence[CellRuns]) -> list[CommunicationRow]:
    """One row per cell of several devices with a completed run, in the order of the plan."""
    return [_row(cell) for cell in cells if cell.cell.devices > 1 and cell.results]


def _row(cell: CellRuns) -> CommunicationRow:
    costs = [result.communication_cost for result in cell.results if result.communication_cost]
    measured = [cost for cost in costs if cost.with_s]
    cost = summarize_mean([_cost_s(one) for one in measured]) if measured else None
    with_s = fmean(median(one.with_s) for one in measured) if measured else None
    return CommunicationRow(
        **cell.key._asdict(),
        n=len(cell.results),
        pairs=sum(len(one.with_s) for one in measured),
        gradient_bytes=cell.sized.gradient_bytes if cell.sized else 0,
        step_s=per_step(cell, "time_s"),
        exposed_s=per_step(cell, "communication"),
        waiting_s=per_step(cell, "waiting"),
        with_s=with_s,
        without_s=with_s - cost.value if cost and with_s is not None else None,
        cost_s=cost.value if cost else None,
        cost_low_s=cost.low if cost else None,
        cost_high_s=cost.high if cost else None,
        cost_share=cost.value / with_s if cost and with_s else None,
        method=cost.method if cost else "",
        without=measured[0].without if measured else "",
        reason=_reason(cell, costs, cost),
    )


def _cost_s(cost: CommunicationCost) -> float:
    """Median of the differences of turns that followed each other."""
    return median(with_s - without_s for with_s, without_s in zip(cost.with_s, cost.without_s, strict=True))


def _reason(cell: CellRuns, costs: Sequence[CommunicationCost], cost: Estimate | None) -> str:
    """Why something is empty."""
    reasons = []
    if per_step(cell, "communication") is None:
        recorded = next((one.phases_reason for one in cell.results if one.phases_reason), "")
        reasons.append(f"{NOT_APART}, {recorded}" if recorded else NOT_APART)
    if cost is None:
        why = next((one.reason for one in costs if one.reason), "the runs did not measure it")
        reasons.append(f"cost: {why}")
    return "; ".join(reasons)


def per_step(cell: CellRuns, field: str) -> float | None:
    """Seconds of a step, mean over devices and runs; None unless all of them measured it."""
    values = [_of_run(result, field) for result in cell.results]
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _of_run(result: Result, field: str) -> float | None:
    phases = DeviceColumns.of(result.phases)
    steps = phases.column("steps")[0] if len(phases) else 0
    total = phases.totals[field]
    return None if total is None or not steps else float(total / len(phases) / steps)

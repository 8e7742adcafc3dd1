"""Which cells the model of one step can be filled with, and why a strategy has none."""

from collections.abc import Sequence

from scalestudy.analysis.cells import CellRuns
from scalestudy.analysis.device_columns import DeviceColumns
from scalestudy.records.result import Result

MODELED = {"ddp": True, "hybrid": False}
"""Strategies that keep whole replicas and sum gradients, and whether they do so in buckets during the backward pass."""

OTHERWISE = "the model is of replicas that sum their gradients between processes, and of nothing else"
COMPRESSED = "its gradients are compressed, and the model knows neither what that takes nor what it saves"
NOT_APART = "waiting and communication were not measured apart, which the model has to know"


def modeled_cells(own: Sequence[CellRuns], least_counts: int) -> list[CellRuns] | str:
    """Of a strategy's cells those whose phases and exchange the model describes, or why they are too few."""
    if own[0].cell.strategy not in MODELED:
        return OTHERWISE
    comparable = [cell for cell in own if cell.is_comparable]
    if any(cell.is_compressed for cell in comparable):
        return COMPRESSED
    measured = [cell for cell in comparable if _is_measured(cell)]
    if not measured and (mixed := [result for cell in comparable for result in cell.results if _is_mixed(result)]):
        reason = mixed[0].phases_reason
        return f"{NOT_APART}: {reason}" if reason else NOT_APART
    usable = [cell for cell in measured if not _is_in_shared_memory(cell)]
    counts = sorted({cell.cell.devices for cell in usable})
    if len(counts) >= least_counts:
        return usable
    found = f"{len(counts)} ({', '.join(map(str, counts))} devices)" if counts else "no such count"
    few = f"needs cells with measured phases on {least_counts} different device counts above 1, found {found}"
    if len(usable) < len(measured):
        few = (
            f"needs cells whose gradients travel in messages on {least_counts} different device counts above 1, found "
            f"{found} (through shared memory does not count)"
        )
    crowded = ", ".join(map(str, sorted({cell.cell.devices for cell in own if cell.oversubscribed})))
    return f"{few}; cells on {crowded} devices are left out: they have more devices than cores" if crowded else few


def _is_in_shared_memory(cell: CellRuns) -> bool:
    """As the runs recorded it: ``auto`` decides where it runs."""
    return any("shared_memory" in result.implementation for result in cell.results)


def _is_mixed(result: Result) -> bool:
    """Whether computing was timed, with communication in it."""
    totals = DeviceColumns.of(result.phases).totals
    return bool(result.phases) and totals["forward"] is not None and totals["waiting"] is None


def _is_measured(cell: CellRuns) -> bool:
    every = [(result.phases, DeviceColumns.of(result.phases).totals) for result in cell.results]
    return all(phases and None not in (totals["forward"], totals["waiting"]) for phases, totals in every)

"""mitigations.csv: a strategy with other options against the same one, on the same layout."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from scalestudy.analysis.cells import CellKey, CellRuns, key_of
from scalestudy.analysis.communication import per_step
from scalestudy.analysis.comparisons import compared
from scalestudy.analysis.speedup import OVERSUBSCRIBED
from scalestudy.records.findings import MitigationRow
from scalestudy.records.report import CommunicationRow
from scalestudy.spec.options import settings_of, show_option

CARRIER = re.compile(r"\((\w+)")
"""What carried the gradients, where a strategy's ``implementation`` names it: ``DistributedDataParallel (gloo)``."""


def mitigation_rows(cells: Sequence[CellRuns], communication: Sequence[CommunicationRow]) -> list[MitigationRow]:
    """One row per pair of cells that differ in the options of their strategy, in the order of the plan.

    A cell is compared with that of the entry without a label or, where there is none on its layout, with the first.
    """
    costs = {key_of(row): row.cost_s for row in communication}
    groups: dict[CellKey, list[CellRuns]] = {}
    for cell in cells:
        groups.setdefault(cell.key._replace(strategy=cell.cell.strategy), []).append(cell)
    reference = {key: next((cell for cell in group if not cell.cell.label), group[0]) for key, group in groups.items()}
    pairs = [(cell, reference[cell.key._replace(strategy=cell.cell.strategy)]) for cell in cells]
    return [
        _row(cell, other, _change(costs.get(cell.key), costs.get(other.key)))
        for cell, other in pairs
        if cell is not other
    ]


def _row(cell: CellRuns, other: CellRuns, cost_change_s: float | None) -> MitigationRow:
    obstacle = _obstacle(cell) or _obstacle(other)
    found = None if obstacle else compared(cell, other)
    differences = list(_differences(cell, other))

    def change(phase: str) -> float | None:
        return None if obstacle else _change(per_step(cell, phase), per_step(other, phase))

    return MitigationRow(
        **cell.key._asdict(),
        n=len(cell.results),
        other_strategy=other.cell.variant,
        other_n=len(other.results),
        options="; ".join(differences),
        differences=len(differences),
        ratio=found.ratio if found else None,
        low=found.low if found else None,
        high=found.high if found else None,
        method=found.method if found else "",
        verdict=found.verdict if found else "not computed",
        exposed_change_s=change("communication"),
        cost_change_s=None if obstacle else cost_change_s,
        waiting_change_s=change("waiting"),
        data_change_s=change("data"),
        note=obstacle,
    )


def _obstacle(cell: CellRuns) -> str:
    """Why the cell has no time to compare, or nothing."""
    reasons = {"no completed run": not cell.results, cell.wrong: bool(cell.wrong), OVERSUBSCRIBED: cell.oversubscribed}
    reason = next((reason for reason, holds in reasons.items() if holds), "")
    return f"{cell.cell.variant} has no time to compare: {reason}" if reason else ""


def _change(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other


def _differences(cell: CellRuns, other: CellRuns) -> Iterator[str]:
    """The options that differ and, where one that is ``auto`` in both came out differently, how gradients traveled."""
    settings, others = _settings(cell, other)
    different = [name for name in settings | others if settings.get(name) != others.get(name)]
    for name in different:
        yield f"{name}: {show_option(others.get(name))} → {show_option(settings.get(name))}"
    carriers, other_carriers = _carriers(cell), _carriers(other)
    if "communication" not in different and carriers and other_carriers and carriers != other_carriers:
        yield f"communication: {', '.join(other_carriers)} → {', '.join(carriers)}"


def _settings(*cells: CellRuns) -> list[dict[str, Any]]:
    """Every option of each with its value; of a plan by another version, whose options are not all known, those given
    alone: an option that one gives and the other leaves as it is would seem to differ."""
    given = [cell.runs[0].run.strategy_options for cell in cells]
    try:
        return [settings_of(cell.cell.strategy, options) for cell, options in zip(cells, given, strict=True)]
    except ValidationError:
        return given


def _carriers(cell: CellRuns) -> list[str]:
    """As the runs recorded it."""
    found = (CARRIER.search(result.implementation) for result in cell.results)
    return sorted({match[1] for match in found if match})

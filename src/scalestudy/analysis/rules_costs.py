"""Sentence rules about where the time goes: phases, communication, the machine's ceiling, efficiency factors."""

from collections.abc import Iterator

from scalestudy.analysis.cells import key_of
from scalestudy.analysis.evidence import Evidence, Statement
from scalestudy.analysis.statistics import holds_one
from scalestudy.analysis.wording import PHASE_WORDS
from scalestudy.records.findings import MitigationRow
from scalestudy.records.report import EfficiencyRow, PhaseRow

COMPUTATION = ("forward_s", "backward_s", "optimizer_s")
FACTORS = {
    "data_feeding": "data feeding",
    "load_balance": "load balance",
    "communication": "communication",
    "computation_scalability": "computation scalability",
}
"""The factors whose product is the global efficiency, and their names."""


def losses(evidence: Evidence) -> Iterator[Statement]:
    """R6: per strategy at its largest size, the largest measured share of the step time that is not computation."""
    w, phases = evidence.wording, {key_of(row): row for row in evidence.phases}
    for workload, scaling in evidence.scaling_groups():
        texts, unknown = [], []
        largest = evidence.largest_by_strategy(evidence.comparable(workload, scaling))
        for cell in largest:
            row = phases.get(key_of(cell))
            share = _largest_loss(row) if row else None
            if share:
                phase = w.say(PHASE_WORDS[share[0]])
                text = "{share} {phase} with {name}"
                texts.append(w.say(text, share=w.percent(share[1], 1), phase=phase, name=evidence.name(cell)))
            elif row:
                unknown.append(evidence.name(cell))
        if unknown:
            text = "with {names}, computation and communication were not measured apart"
            texts.append(w.say(text, names=w.enumeration(unknown)))
        if texts:
            yield evidence.statement(
                "{subject}, the largest measured share of the step time apart from forward pass, backward pass and "
                "optimizer is, per strategy at its largest size: {parts}.",
                largest[0],
                parts="; ".join(texts),
            )


def _largest_loss(row: PhaseRow) -> tuple[str, float] | None:
    """The phase and its share of the step time, when communication and computation were measured."""
    parts: dict[str, float | None] = {phase: getattr(row, phase) for phase in PHASE_WORDS}
    if row.total_s <= 0 or any(parts[phase] is None for phase in (*COMPUTATION, "communication_s")):
        return None
    shares = {phase: part / row.total_s for phase, part in parts.items() if part is not None}
    name = max((phase for phase in shares if phase not in COMPUTATION), key=lambda phase: shares[phase])
    return name, shares[name]


def communication_cost(evidence: Evidence) -> Iterator[Statement]:
    """R18: what communication costs a step, per strategy at its largest size, where the data show that it costs."""
    w, rows = evidence.wording, {key_of(row): row for row in evidence.communication}
    for workload, scaling in evidence.scaling_groups():
        largest = evidence.largest_by_strategy(evidence.compared(workload, scaling))
        found = [(cell, row) for cell in largest if (row := rows.get(key_of(cell))) and row.cost_s is not None]
        longer = [(cell, row) for cell, row in found if row.cost_low_s is not None and row.cost_low_s > 0]
        parts = [
            w.say(
                "{cost} ({interval}), {share} of the time that they take with it, for {name}",
                cost=w.seconds(row.cost_s or 0, row.cost_low_s, row.cost_high_s),
                interval=w.seconds_interval(row.cost_s or 0, row.cost_low_s, row.cost_high_s),
                share=w.percent(row.cost_share or 0),
                name=evidence.name(cell),
            )
            for cell, row in longer
        ]
        if parts:
            text = "{subject}, the gradients of a step with communication take longer than without by {parts}."
            yield evidence.statement(text, longer[0][0], parts="; ".join(parts))
        others = [
            w.say(
                "{cost} ({interval}) with {name}",
                cost=w.seconds(row.cost_s or 0, row.cost_low_s, row.cost_high_s),
                interval=w.seconds_interval(row.cost_s or 0, row.cost_low_s, row.cost_high_s),
                name=evidence.name(cell),
            )
            for cell, row in found
            if (cell, row) not in longer
        ]
        if others:
            text = (
                "{subject}, the data do not show that the gradients of a step take longer with communication than "
                "without; the difference is {parts}."
            )
            yield evidence.statement(text, found[0][0], parts="; ".join(others))


def ceiling(evidence: Evidence) -> Iterator[Statement]:
    """R19: speedups beside what independent serial trainings at once reach."""
    w = evidence.wording
    for workload, scaling in evidence.scaling_groups():
        rows = [row for row in evidence.compared(workload, scaling) if row.ceiling_speedup and row.of_ceiling]
        largest = evidence.largest_by_strategy(rows)
        parts = [
            w.say(
                "{share} ({interval}) of {ceiling} with {name}",
                share=w.percent(row.of_ceiling or 0),
                interval=w.percent_interval(row.of_ceiling_low, row.of_ceiling_high),
                ceiling=w.times(row.ceiling_speedup or 0, row.ceiling_low, row.ceiling_high),
                name=evidence.name(row),
            )
            for row in largest
        ]
        if parts:
            yield evidence.statement(
                "{subject}, the speedup reaches this share of the speedup of independent serial trainings at once: "
                "{parts}.",
                largest[0],
                parts="; ".join(parts),
            )


def lowest_factor(evidence: Evidence) -> Iterator[Statement]:
    """R20: the lowest of the efficiency factors, per strategy at its largest size."""
    w, rows = evidence.wording, {key_of(row): row for row in evidence.efficiencies}
    for workload, scaling in evidence.scaling_groups():
        largest = evidence.largest_by_strategy(evidence.compared(workload, scaling))
        found = [(cell, low) for cell in largest if (row := rows.get(key_of(cell))) and (low := _lowest(row))]
        parts = [
            w.say("{factor} {share} with {name}", factor=w.say(name), share=w.percent(share), name=evidence.name(cell))
            for cell, (name, share) in found
        ]
        if parts:
            text = (
                "{subject}, the lowest factor of the global efficiency is, per strategy at its largest size: {parts}."
            )
            yield evidence.statement(text, found[0][0], parts="; ".join(parts))


def mitigations(evidence: Evidence) -> Iterator[Statement]:
    """R26: a strategy with other options against the same one, per entry at its largest size."""
    for workload, scaling in evidence.scaling_groups():
        rows = [row for row in evidence.mitigations if (row.workload, row.scaling) == (workload, scaling)]
        most = {row.strategy: row.devices for row in sorted(rows, key=lambda row: row.devices) if row.ratio is not None}
        parts = [_effect(evidence, row) for row in rows if row.ratio is not None and row.devices == most[row.strategy]]
        if parts:
            text = "{subject}, the epoch times of one strategy with different options stand in these ratios: {parts}."
            yield evidence.statement(text, rows[0], parts="; ".join(parts))


def _effect(evidence: Evidence, row: MitigationRow) -> str:
    """The factor with its interval, whether the data separate it from none, and whether several options made it."""
    w = evidence.wording
    text = w.say(
        "{name} against {other} ({options}): {ratio} ({interval})",
        name=evidence.name(row),
        other=evidence.strategy(row.other_strategy),
        options=row.options,
        ratio=w.times(row.ratio or 0, row.low, row.high),
        interval=w.factor_interval(row.low, row.high),
    )
    if row.low is not None and row.high is not None and holds_one(row.low, row.high):
        text += w.say(", the data do not separate them")
    if row.differences > 1:
        text += w.say(", for {n} differences together", n=row.differences)
    return text


def _lowest(row: EfficiencyRow) -> tuple[str, float] | None:
    """The factor and its value, when all factors were measured."""
    values: dict[str, float | None] = {name: getattr(row, name) for name in FACTORS}
    known = {name: value for name, value in values.items() if value is not None}
    if len(known) < len(FACTORS):
        return None
    name = min(known, key=lambda factor: known[factor])
    return FACTORS[name], known[name]

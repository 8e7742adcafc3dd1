"""Sentence rules about times, speedups and efficiency. Each yields finished sentences, or none."""

from collections.abc import Iterator

from scalestudy.analysis.cells import key_of
from scalestudy.analysis.evidence import Evidence
from scalestudy.analysis.wording import (
    PHASE_WORDS,
    devices,
    enumeration,
    factor_interval,
    percent,
    percent_interval,
    seconds,
    times,
)
from scalestudy.records.report import PhaseRow, SpeedupRow
from scalestudy.spec.catalog import STRATEGIES

EFFICIENCY_TARGET = 0.8
COMPUTATION = ("forward_s", "backward_s", "optimizer_s")


def fastest(evidence: Evidence) -> Iterator[str]:
    """R2, one for each workload."""
    yield from (_gain(evidence, row) for row in evidence.fastest_per_workload())


def fastest_otherwise(evidence: Evidence) -> Iterator[str]:
    """R2, for the scalings that ``fastest`` leaves out."""
    said = [(row.workload, row.scaling) for row in evidence.fastest_per_workload()]
    for group in evidence.scaling_groups():
        row = evidence.fastest(*group)
        if row is not None and group not in said:
            yield _gain(evidence, row)


def _gain(evidence: Evidence, row: SpeedupRow) -> str:
    time, base_time = seconds(row.time_s or 0), seconds(row.base_time_s or 0)
    gain = f"takes {time} instead of {base_time}, a speedup"
    if row.scaling == "weak":
        gain = f"of {row.devices} times the base's images takes {time}, the base's {base_time}, a scaled speedup"
    return (
        f"{evidence.subject(row.workload, row.scaling)}, the fastest parallel configuration is {evidence.name(row)}: "
        f"an epoch {gain} of **{times(row.speedup or 0)}** ({_interval_or_why(row)}) at "
        f"{percent(row.efficiency or 0)} efficiency."
    )


def strategies_compared(evidence: Evidence) -> Iterator[str]:
    """R3: at the most devices that two strategies share, the fastest against each other one."""
    for workload, scaling in evidence.scaling_groups():
        rows = evidence.compared(workload, scaling)
        shared = [row.devices for row in rows if len({o.strategy for o in rows if o.devices == row.devices}) > 1]
        if not shared:
            continue
        best = evidence.largest_by_strategy([row for row in rows if row.devices == max(shared)])
        best.sort(key=lambda row: row.time_s or 0.0)
        first, others = best[0], best[1:]
        texts = [_ratio_words(evidence, first, other) for other in others]
        yield (
            f"{evidence.subject(workload, scaling)}, on {devices(max(shared), evidence.device_name)} an epoch with "
            f"{_short(first)} takes {'; '.join(texts)}."
        )


def _short(row: SpeedupRow) -> str:
    """Strategy and nodes, where the number of devices was said already."""
    return STRATEGIES[row.strategy].title + (f" on {row.nodes} nodes" if row.nodes > 1 else "")


def _ratio_words(evidence: Evidence, first: SpeedupRow, other: SpeedupRow) -> str:
    estimate = evidence.time_ratio(first, other)
    interval = factor_interval(estimate.low, estimate.high)
    text = f"{estimate.value:.2f} times as long as with {_short(other)} ({interval})"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text}, the data do not separate them" if holds_one(estimate.low, estimate.high) else text


def holds_one(low: float, high: float) -> bool:
    """Whether the interval of a ratio, ends included, leaves open which of the two is larger."""
    return low <= 1 <= high


def not_faster(evidence: Evidence) -> Iterator[str]:
    """R4."""
    one = devices(1, evidence.device_name)
    for workload, scaling in evidence.scaling_groups():
        known = [
            (row, row.speedup_low, row.speedup_high)
            for row in evidence.compared(workload, scaling)
            if row.speedup_low is not None and row.speedup_high is not None
        ]
        slower = [row for row, _, high in known if high < 1]
        unclear = [row for row, low, high in known if holds_one(low, high)]
        for rows, verdict in ((slower, "slower than"), (unclear, "not distinguishable from")):
            if rows:
                names = enumeration([f"{evidence.name(row)} ({_factor(row)})" for row in rows])
                verb = "is" if len(rows) == 1 else "are"
                yield f"{evidence.subject(workload, scaling)}, {names} {verb} {verdict} one device ({one}, serial)."


def efficient(evidence: Evidence) -> Iterator[str]:
    """R5."""
    target = percent(EFFICIENCY_TARGET)
    for workload, scaling in evidence.scaling_groups():
        rows = evidence.compared(workload, scaling)
        if not rows:
            continue
        subject = evidence.subject(workload, scaling)
        known = [(row, row.efficiency_low) for row in rows if row.efficiency_low is not None]
        if not known:
            yield f"{subject}, no interval of an efficiency exists: the runs of a cell or of its base are too few."
            continue
        above = [row for row, low in known if low > EFFICIENCY_TARGET]
        if not above:
            yield f"{subject}, no parallel configuration has an efficiency whose whole interval lies above {target}."
            continue
        row = max(above, key=lambda row: (row.devices, row.efficiency or 0))
        unknown = f"; {len(rows) - len(known)} of {len(rows)} have no interval" if len(known) < len(rows) else ""
        yield (
            f"{subject}, the largest configuration whose efficiency lies above {target} with its whole interval is "
            f"{evidence.name(row)}: {percent(row.efficiency or 0, 1)} "
            f"({percent_interval(row.efficiency_low, row.efficiency_high, 1)}){unknown}."
        )


def losses(evidence: Evidence) -> Iterator[str]:
    """R6: per strategy at its largest size, the largest measured share of the step time that is not computation."""
    phases = {key_of(row): row for row in evidence.phases}
    for workload, scaling in evidence.scaling_groups():
        largest = evidence.largest_by_strategy(evidence.compared(workload, scaling))
        texts, unknown = [], []
        for cell in largest:
            row = phases.get(key_of(cell))
            share = _largest_loss(row) if row else None
            if share:
                texts.append(f"{percent(share[1], 1)} {PHASE_WORDS[share[0]]} with {evidence.name(cell)}")
            elif row:
                unknown.append(evidence.name(cell))
        if unknown:
            texts.append(f"with {enumeration(unknown)}, computation and communication were not measured apart")
        if texts:
            yield (
                f"{evidence.subject(workload, scaling)}, the largest measured share of the step time apart from "
                f"forward pass, backward pass and optimizer is, per strategy at its largest size: {'; '.join(texts)}."
            )


def _largest_loss(row: PhaseRow) -> tuple[str, float] | None:
    """The phase and its share of the step time, when communication and computation were measured."""
    parts: dict[str, float | None] = {phase: getattr(row, phase) for phase in PHASE_WORDS}
    if row.total_s <= 0 or any(parts[phase] is None for phase in (*COMPUTATION, "communication_s")):
        return None
    shares = {phase: part / row.total_s for phase, part in parts.items() if part is not None}
    name = max((phase for phase in shares if phase not in COMPUTATION), key=lambda phase: shares[phase])
    return name, shares[name]


def weak_efficiency(evidence: Evidence) -> Iterator[str]:
    """R9."""
    for workload, scaling in evidence.scaling_groups():
        rows = evidence.compared(workload, scaling) if scaling == "weak" else []
        if rows:
            texts = [
                f"{percent(row.efficiency or 0)} "
                f"({percent_interval(row.efficiency_low, row.efficiency_high)}) with {evidence.name(row)}"
                for row in evidence.largest_by_strategy(rows)
            ]
            yield f"For {evidence.title(workload)}, the weak-scaling efficiency is {enumeration(texts)}."


def shortest_and_thriftiest(evidence: Evidence) -> Iterator[str]:
    """R10."""
    for workload, scaling in evidence.scaling_groups():
        rows = evidence.compared(workload, scaling) if scaling != "weak" else []
        if rows:
            short = min(rows, key=lambda row: row.time_s or 0.0)
            cheap = min(rows, key=lambda row: row.device_time_s or 0.0)
            yield (
                f"{evidence.subject(workload, scaling)}, the shortest epoch among the measured parallel "
                f"configurations is that of {evidence.name(short)} ({_time_and_price(short)}); the one that uses "
                f"least device time is {evidence.name(cheap)} ({_time_and_price(cheap)})."
            )


def widest_interval(evidence: Evidence) -> Iterator[str]:
    """R11."""
    known = [
        ((row.speedup_high - row.speedup_low) / row.speedup, row, row.speedup, row.speedup_low, row.speedup_high)
        for row in evidence.speedup
        if row.speedup and row.speedup_low is not None and row.speedup_high is not None
    ]
    if not known:
        return
    _, row, speedup, low, high = max(known, key=lambda entry: entry[0])
    yield (
        f"The widest relative interval of a speedup is that of {evidence.name(row)} for "
        f"{evidence.title(row.workload)} ({row.scaling} scaling): {times(speedup)}, "
        f"{percent(low / speedup - 1, 1).replace('-', '−')} to +{percent(high / speedup - 1, 1)}, "
        f"from {row.n} runs."
    )


def end_to_end(evidence: Evidence) -> Iterator[str]:
    """R14."""
    for workload, scaling in evidence.scaling_groups():
        row = evidence.fastest(workload, scaling) if scaling != "weak" else None
        if row is None or row.end_to_end_speedup is None or row.speedup is None or row.total_s is None:
            continue
        yield (
            f"{evidence.subject(workload, scaling)}, a whole run with {evidence.name(row)} takes "
            f"{seconds(row.total_s)}, start-up and evaluation included: a speedup of {times(row.end_to_end_speedup)} "
            f"from end to end, beside {times(row.speedup)} in training."
        )


def _time_and_price(row: SpeedupRow) -> str:
    return f"{seconds(row.time_s or 0)}, {seconds(row.device_time_s or 0)} of device time"


def _factor(row: SpeedupRow) -> str:
    return f"{times(row.speedup or 0)}, {factor_interval(row.speedup_low, row.speedup_high)}"


def _interval_or_why(row: SpeedupRow) -> str:
    return factor_interval(row.speedup_low, row.speedup_high) if row.speedup_low is not None else row.note

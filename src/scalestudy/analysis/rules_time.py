"""Sentence rules about times, speedups and efficiency. Each yields finished sentences, or none."""

from collections.abc import Iterator

from scalestudy.analysis.evidence import Evidence, Statement
from scalestudy.analysis.statistics import holds_one
from scalestudy.analysis.wording import decimals_of
from scalestudy.records.report import SpeedupRow

EFFICIENCY_TARGET = 0.8
MOST_NAMED = 3
"""So many configurations that are as fast as the fastest are named."""
SLOWER = (
    "{subject}, {names} is slower than one device ({one}, serial).",
    "{subject}, {names} are slower than one device ({one}, serial).",
)
"""For one configuration and for several."""
UNCLEAR = (
    "{subject}, {names} is not distinguishable from one device ({one}, serial).",
    "{subject}, {names} are not distinguishable from one device ({one}, serial).",
)


def fastest(evidence: Evidence) -> Iterator[Statement]:
    """R2, one for each workload."""
    yield from (_gain(evidence, row) for row in evidence.fastest_per_workload())


def fastest_of_all(evidence: Evidence) -> Iterator[Statement]:
    """R2, one for each workload and scaling."""
    for group in evidence.scaling_groups():
        row = evidence.fastest(*group)
        if row is not None:
            yield _gain(evidence, row)


def _gain(evidence: Evidence, row: SpeedupRow) -> Statement:
    w = evidence.wording
    text = (
        "{subject}, the fastest parallel configuration is {name}: an epoch takes {time} instead of {base}, a speedup "
        "of {speedup} ({interval}) at {efficiency} efficiency{unclear}."
    )
    if row.scaling == "weak":
        text = (
            "{subject}, the fastest parallel configuration is {name}: an epoch of {devices} times the base's images "
            "takes {time}, the base's {base}, a scaled speedup of {speedup} ({interval}) at {efficiency} "
            "efficiency{unclear}."
        )
    low, high = row.speedup_low, row.speedup_high
    open_question = low is not None and high is not None and holds_one(low, high)
    speedup = w.times(row.speedup or 0, low, high)
    return evidence.statement(
        text,
        row,
        name=evidence.name(row),
        devices=row.devices,
        time=w.seconds(row.time_s or 0),
        base=w.seconds(row.base_time_s or 0),
        speedup=speedup if open_question else f"**{speedup}**",
        unclear=(w.say(", and the data do not separate it from one device") if open_question else "")
        + _as_fast(evidence, row),
        interval=_interval_or_why(evidence, row),
        efficiency=w.percent(row.efficiency or 0),
    )


def _as_fast(evidence: Evidence, fastest: SpeedupRow) -> str:
    """From which other configurations the data do not separate the fastest, or nothing."""
    rows = evidence.compared(fastest.workload, fastest.scaling)
    if fastest.scaling == "weak":  # elsewhere an epoch has other images
        rows = [row for row in rows if row.devices == fastest.devices]
    ratios = [(row, evidence.time_ratio(fastest, row)) for row in rows if row is not fastest and evidence.has_runs(row)]
    names = [
        evidence.name(row)
        for row, ratio in ratios
        if ratio.low is not None and ratio.high is not None and holds_one(ratio.low, ratio.high)
    ]
    if not names:
        return ""
    w, more = evidence.wording, len(names) - MOST_NAMED
    shown = names if more <= 0 else [*names[:MOST_NAMED], w.say("{n} more", n=more)]
    return w.say("; the data do not separate it from {others}", others=w.enumeration(shown))


def _interval_or_why(evidence: Evidence, row: SpeedupRow) -> str:
    """The interval of a speedup, or that there is none and what is known of why."""
    interval = evidence.wording.factor_interval(row.speedup_low, row.speedup_high)
    if row.speedup_low is not None or not row.note:
        return interval
    return row.note if row.note.startswith(interval) else f"{interval}; {row.note}"


def strategies_compared(evidence: Evidence) -> Iterator[Statement]:
    """R3: at the most devices that two strategies share, the fastest against each other one."""
    for workload, scaling in evidence.scaling_groups():
        rows = evidence.compared(workload, scaling)
        shared = [row.devices for row in rows if len({o.strategy for o in rows if o.devices == row.devices}) > 1]
        if not shared:
            continue
        best = evidence.largest_by_strategy([row for row in rows if row.devices == max(shared)])
        best.sort(key=lambda row: row.time_s or 0.0)
        first, others = best[0], best[1:]
        yield evidence.statement(
            "{subject}, on {devices} an epoch with {first} takes {ratios}.",
            first,
            devices=evidence.wording.devices(max(shared)),
            first=_short(evidence, first),
            ratios="; ".join(_ratio_words(evidence, first, other) for other in others),
        )


def _short(evidence: Evidence, row: SpeedupRow) -> str:
    """Strategy and nodes, where the number of devices was said already."""
    title, w = evidence.strategy(row.strategy), evidence.wording
    return w.say("{it} on {nodes}", it=title, nodes=w.nodes(row)) if row.nodes > 1 else title


def _ratio_words(evidence: Evidence, first: SpeedupRow, other: SpeedupRow) -> str:
    w, estimate = evidence.wording, evidence.time_ratio(first, other)
    known = estimate.low is not None and estimate.high is not None
    text = "{ratio} times as long as with {other} ({interval})"
    if known and holds_one(estimate.low or 0, estimate.high or 0):
        text = "{ratio} times as long as with {other} ({interval}), the data do not separate them"
    interval = w.factor_interval(estimate.low, estimate.high)
    ratio = w.factor(estimate.value, estimate.low, estimate.high)
    return w.say(text, ratio=ratio, other=_short(evidence, other), interval=interval)


def not_faster(evidence: Evidence) -> Iterator[Statement]:
    """R4."""
    w = evidence.wording
    for workload, scaling in evidence.scaling_groups():
        known = [
            (row, row.speedup_low, row.speedup_high)
            for row in evidence.compared(workload, scaling)
            if row.speedup_low is not None and row.speedup_high is not None
        ]
        slower = [row for row, _, high in known if high < 1]
        unclear = [row for row, low, high in known if holds_one(low, high)]
        for rows, verdict in ((slower, SLOWER), (unclear, UNCLEAR)):
            if rows:
                names = [f"{evidence.name(row)} ({_factor(evidence, row)})" for row in rows]
                text = verdict[0] if len(rows) == 1 else verdict[1]
                yield evidence.statement(text, rows[0], one=w.devices(1), names=w.enumeration(names))


def efficient(evidence: Evidence) -> Iterator[Statement]:
    """R5."""
    w = evidence.wording
    for workload, scaling in evidence.scaling_groups():
        rows = evidence.compared(workload, scaling)
        if not rows:
            continue
        known = [(row, row.efficiency_low) for row in rows if row.efficiency_low is not None]
        if not known:
            yield evidence.statement(
                "{subject}, no interval of an efficiency exists: the runs of a cell or of its base are too few.",
                rows[0],
            )
            continue
        target = w.percent(EFFICIENCY_TARGET)
        above = [row for row, low in known if low > EFFICIENCY_TARGET]
        if not above:
            yield evidence.statement(
                "{subject}, no parallel configuration has an efficiency whose whole interval lies above {target}.",
                rows[0],
                target=target,
            )
            continue
        most = max(row.devices for row in above)
        largest = sorted((row for row in above if row.devices == most), key=lambda row: -(row.efficiency or 0))
        unknown = ""
        if len(known) < len(rows):
            some = len(rows) - len(known)
            text = "; {some} of {all} has no interval" if some == 1 else "; {some} of {all} have no interval"
            unknown = w.say(text, some=some, all=len(rows))
        one = (
            "{subject}, the largest configuration whose efficiency lies above {target} with its whole interval is "
            "{parts}{unknown}."
        )
        several = (
            "{subject}, the largest configurations whose efficiencies lie above {target} with their whole intervals "
            "are {parts}{unknown}."
        )
        yield evidence.statement(
            one if len(largest) == 1 else several,
            largest[0],
            target=target,
            parts="; ".join(_efficiency_words(evidence, row) for row in largest),
            unknown=unknown,
        )


def _efficiency_words(evidence: Evidence, row: SpeedupRow) -> str:
    """A configuration with its efficiency; no end of its interval is written as the target that it is not."""
    ends = [None if end is None else 100 * end for end in (row.efficiency_low, row.efficiency_high)]
    efficiency, interval = _efficiency(evidence, row, decimals_of((100 * EFFICIENCY_TARGET,), 1, *ends))
    return f"{evidence.name(row)}: {efficiency} ({interval})"


def _efficiency(evidence: Evidence, row: SpeedupRow, digits: int) -> tuple[str, str]:
    """An efficiency and its interval in words."""
    w = evidence.wording
    interval = w.percent_interval(row.efficiency_low, row.efficiency_high, digits)
    return w.percent(row.efficiency or 0, digits), interval


def above_ideal(evidence: Evidence) -> Iterator[Statement]:
    """R28."""
    for workload, scaling in evidence.scaling_groups():
        rows = [row for row in evidence.compared(workload, scaling) if (row.efficiency or 0) > 1]
        parts = [_efficiency_beside_one(evidence, row) for row in rows]
        if parts:
            yield evidence.statement(
                "{subject}, more images per second and device than on one device alone are trained by {parts}.",
                rows[0],
                parts="; ".join(parts),
            )


def _efficiency_beside_one(evidence: Evidence, row: SpeedupRow) -> str:
    """A configuration with its efficiency; neither that nor an end of its interval is written as 100 % but is not."""
    w, low, high = evidence.wording, row.efficiency_low, row.efficiency_high
    shares = (None if share is None else 100 * share for share in (row.efficiency, low, high))
    efficiency, interval = _efficiency(evidence, row, decimals_of((100,), 0, *shares))
    text = "{name} (efficiency {efficiency}, {interval})"
    if low is not None and high is not None and holds_one(low, high):
        text = "{name} (efficiency {efficiency}, {interval}, the data do not separate it from {whole})"
    return w.say(text, name=evidence.name(row), efficiency=efficiency, interval=interval, whole=w.percent(1.0))


def weak_efficiency(evidence: Evidence) -> Iterator[Statement]:
    """R9."""
    w = evidence.wording
    for workload, scaling in evidence.scaling_groups():
        rows = evidence.compared(workload, scaling) if scaling == "weak" else []
        if rows:
            parts = [
                w.say(
                    "{efficiency} ({interval}) with {name}",
                    efficiency=w.percent(row.efficiency or 0),
                    interval=w.percent_interval(row.efficiency_low, row.efficiency_high),
                    name=evidence.name(row),
                )
                for row in evidence.largest_by_strategy(rows)
            ]
            yield evidence.statement(
                "For {title}, the weak-scaling efficiency is {parts}.",
                rows[0],
                title=evidence.title(workload),
                parts=w.enumeration(parts),
            )


def shortest_and_thriftiest(evidence: Evidence) -> Iterator[Statement]:
    """R10."""
    for workload, scaling in evidence.scaling_groups():
        rows = evidence.compared(workload, scaling) if scaling != "weak" else []
        if rows:
            short = min(rows, key=lambda row: row.time_s or 0.0)
            cheap = min(rows, key=lambda row: row.device_time_s or 0.0)
            others = (
                "{subject}, the shortest epoch among the measured parallel configurations is that of {short} "
                "({short_time}); the one that uses least device time is {cheap} ({cheap_time})."
            )
            same = (
                "{subject}, the shortest epoch among the measured parallel configurations is that of {short} "
                "({short_time}); none of them uses less device time."
            )
            yield evidence.statement(
                same if cheap is short else others,
                short,
                short=evidence.name(short),
                short_time=_time_and_price(evidence, short),
                cheap=evidence.name(cheap),
                cheap_time=_time_and_price(evidence, cheap),
            )


def widest_interval(evidence: Evidence) -> Iterator[Statement]:
    """R11."""
    known = [
        ((row.speedup_high - row.speedup_low) / row.speedup, row, row.speedup, row.speedup_low, row.speedup_high)
        for row in evidence.speedup
        if row.speedup and row.speedup_low is not None and row.speedup_high is not None
    ]
    if not known:
        return
    w = evidence.wording
    _, row, speedup, low, high = max(known, key=lambda entry: entry[0])
    text = w.say(
        "The widest relative interval of a speedup is that of {name} for {title} ({scaling}): {speedup}, {low} to "
        "{high}, from {n} runs.",
        name=evidence.name(row),
        title=evidence.title(row.workload),
        scaling=w.say(f"{row.scaling} scaling"),
        speedup=w.times(speedup, low, high),
        low=w.signed_percent(low / speedup - 1),
        high=w.signed_percent(high / speedup - 1),
        n=row.n,
    )
    yield Statement(text)


def end_to_end(evidence: Evidence) -> Iterator[Statement]:
    """R14."""
    w = evidence.wording
    for workload, scaling in evidence.scaling_groups():
        row = evidence.fastest(workload, scaling) if scaling != "weak" else None
        if row is None or row.end_to_end_speedup is None or row.speedup is None or row.total_s is None:
            continue
        yield evidence.statement(
            "{subject}, a whole run with {name} takes {total}, start-up and evaluation included: a speedup of "
            "{end_to_end} ({interval}) from end to end, beside {speedup} in training.",
            row,
            name=evidence.name(row),
            total=w.seconds(row.total_s),
            end_to_end=w.times(row.end_to_end_speedup, row.end_to_end_low, row.end_to_end_high),
            interval=w.factor_interval(row.end_to_end_low, row.end_to_end_high),
            speedup=w.times(row.speedup, row.speedup_low, row.speedup_high),
        )


def _time_and_price(evidence: Evidence, row: SpeedupRow) -> str:
    w = evidence.wording
    time, price = w.seconds(row.time_s or 0), w.seconds(row.device_time_s or 0)
    return w.say("{time}, {price} of device time", time=time, price=price)


def _factor(evidence: Evidence, row: SpeedupRow) -> str:
    w, low, high = evidence.wording, row.speedup_low, row.speedup_high
    return f"{w.times(row.speedup or 0, low, high)}, {w.factor_interval(low, high)}"

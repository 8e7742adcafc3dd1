"""The two to four figures below the abstract."""

from scalestudy.analysis.evidence import Evidence
from scalestudy.analysis.load import LOAD_LIMIT, is_loaded
from scalestudy.analysis.scaling_rows import of_scaling
from scalestudy.analysis.statistics import holds_one
from scalestudy.records.report import Headline, SpeedupRow

MOST = 4


def headlines(evidence: Evidence) -> list[Headline]:
    """Fastest speedups and the efficiency of the first, the largest accuracy change, parity; at least two.

    With two workloads or more the efficiencies stand in the details, to leave room.
    """
    rows = evidence.fastest_per_workload()
    entries = [_speedup(evidence, row) for row in rows[:2]] or [_outcomes(evidence)]
    if len(rows) == 1:
        entries.append(_efficiency(evidence, rows[0]))
    change = _accuracy_change(evidence)
    return [*entries, *([change] if change else []), _parity(evidence)][:MOST]


def _speedup(evidence: Evidence, row: SpeedupRow) -> Headline:
    w, speedup = evidence.wording, row.speedup or 0
    efficiency = w.percent(row.efficiency or 0)
    return Headline(
        label=f"{evidence.title(row.workload)}, {w.say('scaled speedup' if row.scaling == 'weak' else 'fastest')}",
        value=w.times(speedup, row.speedup_low, row.speedup_high),
        interval=w.factor_interval(row.speedup_low, row.speedup_high),
        detail=_verdict(evidence, row)
        + w.say("{name}, {efficiency} efficiency", name=evidence.name(row), efficiency=efficiency)
        + _loaded(evidence, row),
    )


def _verdict(evidence: Evidence, row: SpeedupRow) -> str:
    """That it does not pay off, or that the data do not tell, where the interval says so."""
    if row.speedup_low is None or row.speedup_high is None or row.speedup_low > 1:
        return ""
    open_question = holds_one(row.speedup_low, row.speedup_high)
    return evidence.wording.say("not separated from one device; " if open_question else "slower than one device; ")


def _loaded(evidence: Evidence, row: SpeedupRow) -> str:
    """In how many completed runs of a workload and scaling other programs took a part of the machine, where in any.

    What is measured is their load; what it did to the times is not.
    """
    group = of_scaling([run for run in evidence.runs if run.workload == row.workload], row.scaling)
    counted = [run for run in group if run.outcome == "completed" and not run.excluded and run.foreign_load is not None]
    loaded = sum(map(is_loaded, counted))
    if not loaded:
        return ""
    w = evidence.wording
    text = "; in {n} of {runs} completed runs other programs took more than {limit} of the machine"
    return w.say(text, n=loaded, runs=len(counted), limit=w.percent(LOAD_LIMIT))


def _efficiency(evidence: Evidence, row: SpeedupRow) -> Headline:
    w = evidence.wording
    return Headline(
        label=f"{evidence.title(row.workload)}, {w.say('efficiency')}",
        value=w.percent(row.efficiency or 0),
        interval=w.percent_interval(row.efficiency_low, row.efficiency_high),
        detail=evidence.name(row),
    )


def _accuracy_change(evidence: Evidence) -> Headline | None:
    changes = [
        (abs(row.difference), row)
        for row in evidence.accuracy
        if row.difference is not None and row.scaling != "weak"  # where the base saw fewer images
    ]
    if not changes:
        return None
    row = max(changes, key=lambda change: change[0])[1]
    w, margin, ends = evidence.wording, evidence.accuracy_margin, (row.difference_low, row.difference_high)
    same = (row.difference, *ends)  # as where strategies compute the same
    alike = sum((one.difference, one.difference_low, one.difference_high) == same for _, one in changes)
    where = f"{evidence.title(row.workload)}, {evidence.name(row)}"
    return Headline(
        label=w.say("largest accuracy change"),
        value=w.say("{points} pp", points=w.points(row.difference or 0, margin, *ends)),
        interval=w.points_interval(*ends, margin),
        detail=w.say("{cell}, one of {n} alike", cell=where, n=alike) if alike > 1 else where,
    )


def _parity(evidence: Evidence) -> Headline:
    rows, w = evidence.parity, evidence.wording
    passed = sum(row.passed for row in rows)
    errors = [error for row in rows for error in (row.gradient_error, row.parameter_error) if error is not None]
    return Headline(
        label=w.say("parity with serial training"),
        value=f"{passed}/{len(rows)}" if rows else w.say("not checked"),
        interval=w.say("largest error {error}", error=w.error(max(errors))) if errors else "",
        detail=w.say("checks passed, float64") if rows else "",
    )


def _outcomes(evidence: Evidence) -> Headline:
    counts, w = evidence.counts, evidence.wording
    return Headline(
        label=w.say("runs completed"),
        value=f"{counts.completed}/{counts.planned}",
        interval="",
        detail=w.say("{failed} failed, {missing} missing", failed=counts.failed, missing=counts.missing),
    )

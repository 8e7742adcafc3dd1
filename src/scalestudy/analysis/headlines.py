"""The two to four figures below the abstract."""

from scalestudy.analysis.evidence import Evidence
from scalestudy.analysis.wording import factor_interval, percent, percent_interval, points, times
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
    return Headline(
        label=f"{evidence.title(row.workload)}, {'scaled speedup' if row.scaling == 'weak' else 'fastest'}",
        value=f"{row.speedup or 0:.1f}×" if (row.speedup or 0) >= 10 else times(row.speedup or 0),
        interval=factor_interval(row.speedup_low, row.speedup_high),
        detail=f"{evidence.name(row)}, {percent(row.efficiency or 0)} efficiency",
    )


def _efficiency(evidence: Evidence, row: SpeedupRow) -> Headline:
    return Headline(
        label=f"{evidence.title(row.workload)}, efficiency",
        value=percent(row.efficiency or 0),
        interval=percent_interval(row.efficiency_low, row.efficiency_high),
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
    interval = "no interval"
    if row.difference_low is not None and row.difference_high is not None:
        interval = f"90% CI {points(row.difference_low)} to {points(row.difference_high)}"
    return Headline(
        label="largest accuracy change",
        value=f"{points(row.difference or 0)} pp",
        interval=interval,
        detail=f"{evidence.title(row.workload)}, {evidence.name(row)}",
    )


def _parity(evidence: Evidence) -> Headline:
    rows = evidence.parity
    passed = sum(row.passed for row in rows)
    errors = [row.parameter_error for row in rows if row.parameter_error is not None]
    return Headline(
        label="parity with serial training",
        value=f"{passed}/{len(rows)}" if rows else "not checked",
        interval=f"largest error {max(errors):.1e}" if errors else "",
        detail="checks passed, float64" if rows else "",
    )


def _outcomes(evidence: Evidence) -> Headline:
    counts = evidence.counts
    return Headline(
        label="runs completed",
        value=f"{counts.completed}/{counts.planned}",
        interval="",
        detail=f"{counts.failed} failed, {counts.missing} missing",
    )

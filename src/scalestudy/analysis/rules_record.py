"""Sentence rules about the runs themselves: what became of them, accuracy, parity, load, synthetic data."""

from collections import Counter
from collections.abc import Iterator, Sequence

from scalestudy.analysis.evidence import Evidence
from scalestudy.analysis.wording import counted, enumeration, percent, plain, points
from scalestudy.records.report import AccuracyRow, RunRow
from scalestudy.spec.catalog import STRATEGIES

LOAD_LIMIT = 0.05
"""Completed runs in which other programs took more of the machine are flagged."""
LISTED = 5
"""So many runs are named in a sentence; the table of all runs has the rest."""


def outcomes(evidence: Evidence) -> Iterator[str]:
    """R1."""
    counts = evidence.counts
    if not counts.planned:
        yield "No run was planned."
        return
    fates = [f"{counts.completed} completed"]
    fates += [f"{counts.failed} failed"] if counts.failed else []
    fates += [f"{counts.missing} {'is' if counts.missing == 1 else 'are'} missing"] if counts.missing else []
    text = f"Of {counted(counts.planned, 'planned run')}, {enumeration(fates)}"
    reasons = Counter(row.reason for row in evidence.runs if row.outcome != "completed")
    if reasons:
        text += f" ({'; '.join(f'{count} × {plain(reason)}' for reason, count in reasons.most_common(LISTED))})"
    resumed = f"{counts.resumed or 'none'} {'were' if counts.resumed > 1 else 'was'} resumed after an interruption"
    text += f"; {resumed}."
    if counts.resumed:
        text += (
            " The time of a resumed run is the sum of its parts, each up to its last checkpoint; it enters the epoch "
            "times and not the end-to-end speedup."
        )
    if counts.failed or counts.missing:
        text += " Runs that did not complete enter no number."
    if counts.skipped:
        text += f" {counted(counts.skipped, 'combination')} of the study cannot run on this machine."
    if counts.oversubscribed:
        text += (
            f" {counted(counts.oversubscribed, 'planned run')} with more devices than there are cores "
            f"{'has' if counts.oversubscribed == 1 else 'have'} no speedup, only correctness."
        )
    yield text


def accuracy(evidence: Evidence) -> Iterator[str]:
    """R7."""
    margin = f"±{100 * evidence.accuracy_margin:g} pp (percentage points)"
    for workload, scaling in evidence.scaling_groups():
        rows = [row for row in evidence.accuracy if (row.workload, row.scaling) == (workload, scaling)]
        parallel = [row for row in rows if row.strategy != "serial"]
        tested = [row for row in parallel if row.verdict in ("equivalent", "not shown")]
        subject = evidence.subject(workload, scaling)
        if not parallel:
            continue
        if not tested:
            yield f"{subject}, equivalence of accuracies is not tested: no interval of a difference exists."
            continue
        equivalent = [row for row in tested if row.verdict == "equivalent"]
        others = [row for row in tested if row.verdict != "equivalent"]
        text = (
            f"{subject}, {len(equivalent)} of {counted(len(tested), 'parallel configuration')} "
            f"{'is' if len(equivalent) == 1 else 'are'} equivalent in test accuracy to the serial baseline within "
            f"{margin}"
        )
        text += f"; equivalence is not shown for {_accuracy_list(evidence, others)}" if others else ""
        untested = len(parallel) - len(tested)
        text += f"; {untested} could not be tested, for want of runs" if untested else ""
        yield f"{text}."


def _accuracy_list(evidence: Evidence, rows: Sequence[AccuracyRow]) -> str:
    return enumeration(
        [
            f"{evidence.name(row)} (difference {points(row.difference or 0)} pp, 90% CI "
            f"{points(row.difference_low or 0)} to {points(row.difference_high or 0)})"
            for row in rows
        ]
    )


def parity(evidence: Evidence) -> Iterator[str]:
    """R8."""
    rows = evidence.parity
    if not rows:
        yield "No parity check was recorded: whether the strategies compute what serial training computes is not known."
        return
    passed = [row for row in rows if row.passed]
    text = f"{len(passed)} of {counted(len(rows), 'parity check')} in float64 passed"
    gradients = [row.gradient_error for row in passed if row.gradient_error is not None]
    parameters = [row.parameter_error for row in passed if row.parameter_error is not None]
    if gradients and parameters:
        text += (
            f"; the largest relative difference among these is {max(gradients):.1e} in a gradient and "
            f"{max(parameters):.1e} in the parameters after {max(row.steps for row in passed)} steps"
        )
    checked = {row.strategy for row in rows} | {"serial"}
    unchecked = [
        STRATEGIES[name].title
        for name in dict.fromkeys(row.strategy for row in evidence.speedup)
        if name not in checked
    ]
    text += f"; not checked: {enumeration(unchecked)}" if unchecked else ""
    wrong = list(dict.fromkeys(f"{STRATEGIES[row.strategy].title} ({row.workload})" for row in rows if not row.passed))
    if wrong:
        text += f". **Not passed: {enumeration(wrong)}; no speedup is given for {'it' if len(wrong) == 1 else 'them'}**"
    yield f"{text}."


def load(evidence: Evidence) -> Iterator[str]:
    """R12."""
    measured = [row for row in evidence.runs if row.outcome == "completed" and row.foreign_load is not None]
    completed = evidence.counts.completed
    if not completed:
        return
    if not measured:
        yield "The load of the machine by other programs was not measured."
        return
    loaded = sorted((row for row in measured if is_loaded(row)), key=lambda row: -(row.foreign_load or 0))
    text = (
        f"Other programs took more than {percent(LOAD_LIMIT)} of the machine in "
        f"{len(loaded) or 'none'} of {counted(len(measured), 'completed run')}"
    )
    if loaded:
        text += f": {', '.join(f'{row.run} ({percent(row.foreign_load or 0)})' for row in loaded[:LISTED])}"
        text += f" and {len(loaded) - LISTED} more" if len(loaded) > LISTED else ""
        text += "; their times are included"
    if len(measured) < completed:
        text += f"; in {completed - len(measured)} it was not measured"
    yield f"{text}."


def is_loaded(row: RunRow) -> bool:
    """Whether other programs took more than 5 % of the machine during a completed run's timed epochs."""
    return row.outcome == "completed" and row.foreign_load is not None and row.foreign_load > LOAD_LIMIT


def synthetic(evidence: Evidence) -> Iterator[str]:
    """R13."""
    titles = [plain(facts.title) for facts in evidence.workloads if facts.data_synthetic]
    if titles:
        yield f"**Synthetic data:** the images of {enumeration(titles)} are generated, not those of a real data set."


def disagreements(evidence: Evidence) -> Iterator[str]:
    """R15."""
    items = [row.item for row in evidence.environment if row.conflict]
    if items:
        yield f"The runs disagree on {enumeration(items)}; the environment table lists the values."

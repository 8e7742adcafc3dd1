"""Sentence rules about the runs themselves: what became of them, accuracy, parity, load, synthetic data."""

from collections import Counter
from collections.abc import Iterator, Sequence

from scalestudy.analysis.evidence import Evidence, Statement
from scalestudy.analysis.load import LOAD_LIMIT, is_loaded
from scalestudy.analysis.wording import LEVELS, plain
from scalestudy.records.report import AccuracyRow

TESTED = ("equivalent", "not shown")
"""Verdicts on an accuracy of which the data allow one."""
LISTED = 5
"""So many runs are named in a sentence; the table of all runs has the rest."""


def size(evidence: Evidence) -> Iterator[Statement]:
    """R16."""
    if not evidence.runs:
        return
    w = evidence.wording
    parts = (
        (len({row.workload for row in evidence.runs}), "workload"),
        (len({evidence.kind(row.strategy) for row in evidence.runs} - {"serial"}), "parallel strategy"),
        (len({row.scaling for row in evidence.runs}), "scaling"),
        (len({row.seed for row in evidence.runs}), "seed"),
    )
    most = max(row.devices for row in evidence.runs)
    counts = w.enumeration([w.counted(count, noun) for count, noun in parts])
    yield Statement(w.say("The study has {counts}, on up to {devices}.", counts=counts, devices=w.devices(most)))


def outcomes(evidence: Evidence) -> Iterator[Statement]:
    """R1."""
    counts, w = evidence.counts, evidence.wording
    if not counts.planned:
        yield Statement(w.say("No run was planned."))
        return
    fates = [w.say("{n} completed", n=counts.completed)]
    fates += [w.say("{n} failed", n=counts.failed)] if counts.failed else []
    if counts.missing:
        fates.append(w.say("{n} is missing" if counts.missing == 1 else "{n} are missing", n=counts.missing))
    planned = w.counted(counts.planned, "planned run")
    text = w.say("Of {planned}, {fates}", planned=planned, fates=w.enumeration(fates))
    reasons = Counter(
        row.reason if row.outcome == "failed" else evidence.language.reason(row.reason)
        for row in evidence.runs
        if row.outcome != "completed"
    )
    if reasons:
        text += f" ({'; '.join(f'{count} × {plain(reason)}' for reason, count in reasons.most_common(LISTED))})"
    resumed = {0: "none was resumed after an interruption", 1: "{n} was resumed after an interruption"}
    words = resumed.get(counts.resumed, "{n} were resumed after an interruption")
    text += f"; {w.say(words, n=counts.resumed)}."
    if loaded := sum(map(is_loaded, evidence.runs)):
        said = "In {runs} other programs took more than {limit} of the machine."
        text += " " + w.say(said, runs=w.counted(loaded, "completed run"), limit=w.percent(LOAD_LIMIT))
    if counts.resumed:
        text += " " + w.say(
            "The time of a resumed run is the sum of its parts, each up to its last checkpoint; it enters the epoch "
            "times and not the end-to-end speedup."
        )
    if counts.failed or counts.missing:
        text += " " + w.say("Runs that did not complete enter no number.")
    if counts.excluded:
        text += " " + w.say(
            "Repeated and in no number: {runs} in which other programs took more than {limit} of the machine.",
            runs=w.counted(counts.excluded, "completed run"),
            limit=w.percent(LOAD_LIMIT),
        )
    if counts.flawed:
        text += " " + w.say("{runs} had flaws in the records of ranks.", runs=w.counted(counts.flawed, "completed run"))
    if counts.skipped:
        combinations = w.counted(counts.skipped, "combination")
        text += " " + w.say("Left out of the plan: {combinations} of the study.", combinations=combinations)
    if counts.oversubscribed:
        runs = w.counted(counts.oversubscribed, "planned run")
        text += " " + w.say("No speedup, only correctness, for more devices than cores: {runs}.", runs=runs)
    yield Statement(text)


def accuracy(evidence: Evidence) -> Iterator[Statement]:
    """R7."""
    w = evidence.wording
    for workload, scaling in evidence.scaling_groups():
        rows = [row for row in evidence.accuracy if (row.workload, row.scaling) == (workload, scaling)]
        parallel = [row for row in rows if row.strategy != "serial"]
        tested = [row for row in parallel if row.verdict in TESTED]
        if not parallel:
            continue
        if not tested:
            yield evidence.statement(
                "{subject}, equivalence of accuracies is not tested: no interval of a difference exists.", parallel[0]
            )
            continue
        equivalent = [row for row in tested if row.verdict == "equivalent"]
        others = [row for row in tested if row.verdict != "equivalent"]
        more = ""
        if others:
            more += w.say("; equivalence is not shown for {others}", others=_accuracy_list(evidence, others))
        if untested := len(parallel) - len(tested):
            more += w.say("; {n} could not be tested, for want of runs", n=untested)
        text = (
            "{subject}, {some} of {all} are equivalent in test accuracy to the serial baseline within {margin}{more}."
        )
        if 1 in (len(equivalent), len(tested)):
            text = (
                "{subject}, {some} of {all} is equivalent in test accuracy to the serial baseline within "
                "{margin}{more}."
            )
        yield evidence.statement(
            text,
            parallel[0],
            some=len(equivalent),
            all=w.counted(len(tested), "parallel configuration"),
            margin=_margin(evidence),
            more=more,
        )


def _margin(evidence: Evidence) -> str:
    margin = f"±{evidence.wording.language.number(f'{100 * evidence.accuracy_margin:g}')}"
    return evidence.wording.say("{margin} pp (percentage points)", margin=margin)


def accuracy_in_short(evidence: Evidence) -> Iterator[Statement]:
    """R7, of all workloads and scalings together, but for weak scaling, where the base saw fewer images."""
    w = evidence.wording
    parallel = [row.verdict for row in evidence.accuracy if row.strategy != "serial" and row.scaling != "weak"]
    tested = [verdict for verdict in parallel if verdict in TESTED]
    if not parallel:
        return
    if not tested:
        yield Statement(
            w.say("Equivalence of test accuracies is not tested: no interval of a difference from the base exists.")
        )
        return
    untested = len(parallel) - len(tested)
    yield Statement(
        w.say(
            "Equivalence in test accuracy to the serial baseline within {margin} is shown for {some} of {all}{more}.",
            margin=_margin(evidence),
            some=tested.count("equivalent"),
            all=w.counted(len(tested), "parallel configuration"),
            more=w.say("; {n} could not be tested, for want of runs", n=untested) if untested else "",
        )
    )


def _accuracy_list(evidence: Evidence, rows: Sequence[AccuracyRow]) -> str:
    w = evidence.wording
    return w.enumeration(
        [
            w.say(
                "{name} (difference {difference} pp, {interval})",
                name=evidence.name(row),
                difference=w.points(row.difference or 0, evidence.accuracy_margin, *ends),
                interval=w.points_interval(*ends, evidence.accuracy_margin),
            )
            for row in rows
            for ends in [(row.difference_low, row.difference_high)]
        ]
    )


def parity(evidence: Evidence) -> Iterator[Statement]:
    """R8."""
    rows, w = evidence.parity, evidence.wording
    if not rows:
        yield Statement(
            w.say(
                "No parity check was recorded: whether the strategies compute what serial training computes is not "
                "known."
            )
        )
        return
    passed = [row for row in rows if row.passed]
    checks = w.counted(len(rows), "parity check")
    text = w.say("{passed} of {checks} in float64 passed", passed=len(passed), checks=checks)
    gradients = [row.gradient_error for row in passed if row.gradient_error is not None]
    parameters = [row.parameter_error for row in passed if row.parameter_error is not None]
    if gradients and parameters:
        text += w.say(
            "; the largest relative difference among these is {gradient} in a gradient and {parameter} in the "
            "parameters after {steps} steps",
            gradient=w.error(max(gradients)),
            parameter=w.error(max(parameters)),
            steps=max(row.steps for row in passed),
        )
    checked = {row.strategy for row in rows} | {"serial"}
    names = dict.fromkeys(row.strategy for row in evidence.speedup if row.strategy not in checked)
    if unchecked := [evidence.strategy(name) for name in names]:
        text += w.say("; not checked: {names}", names=w.enumeration(unchecked))
    failing = dict.fromkeys(
        (evidence.strategy(row.strategy), evidence.title(row.workload)) for row in rows if not row.passed
    )
    wrong = [w.say("{strategy} for {title}", strategy=strategy, title=title) for strategy, title in failing]
    if wrong:
        names_wrong = w.enumeration(wrong)
        failed = "Not passed: {names}; no speedup is given for it" if len(wrong) == 1 else (
            "Not passed: {names}; no speedup is given for them"
        )  # fmt: skip
        text += f". **{w.say(failed, names=names_wrong)}**"
    yield Statement(f"{text}.")


def load(evidence: Evidence) -> Iterator[Statement]:
    """R12."""
    w = evidence.wording
    measured = [row for row in evidence.runs if row.outcome == "completed" and row.foreign_load is not None]
    completed = evidence.counts.completed
    if not completed:
        return
    if not measured:
        yield Statement(w.say("The load of the machine by other programs was not measured."))
        return
    loaded = sorted((row for row in measured if is_loaded(row)), key=lambda row: -(row.foreign_load or 0))
    text = w.say(
        "Other programs took more than {limit} of the machine in {n} of {runs}",
        limit=w.percent(LOAD_LIMIT),
        n=len(loaded),
        runs=w.counted(len(measured), "completed run"),
    )
    if loaded:
        loads = ((row.run, w.percent_above(row.foreign_load or 0, LOAD_LIMIT)) for row in loaded[:LISTED])
        text += f": {', '.join(f'{run} ({share})' for run, share in loads)}"
        more = len(loaded) - LISTED
        text += w.say(" and 1 more" if more == 1 else " and {n} more", n=more) if more > 0 else ""
        excluded = sum(bool(row.excluded) for row in loaded)
        some = "; {n} of them were repeated and enter no number, the times of the others are included"
        fates = {0: "; their times are included", len(loaded): "; they were repeated and enter no number"}
        text += w.say(fates.get(excluded, some), n=excluded)
    if len(measured) < completed:
        text += w.say("; in {n} it was not measured", n=completed - len(measured))
    yield Statement(f"{text}.")


def synthetic(evidence: Evidence) -> Iterator[Statement]:
    """R13."""
    titles = [plain(facts.title) for facts in evidence.workloads if facts.data_synthetic]
    if titles:
        text = "**Synthetic data:** the images of {titles} are generated, not those of a real data set."
        yield Statement(evidence.wording.say(text, titles=evidence.wording.enumeration(titles)))


def disagreements(evidence: Evidence) -> Iterator[Statement]:
    """R15."""
    items = [row.item for row in evidence.environment if row.conflict]
    if items:
        text = "The records disagree on {items}; the environment tables list the values."
        yield Statement(evidence.wording.say(text, items=evidence.wording.enumeration(items)))


def several_images(evidence: Evidence) -> Iterator[Statement]:
    """R15, where the tables are."""
    w = evidence.wording
    for row in evidence.environment:
        if row.key != "Image" or not row.conflict:
            continue
        apart = w.enumeration(row.apart) if row.apart else ""
        if row.runs_differ:
            text = (
                "**Several container images:** the runs were not all in the same one{others}. Notes tell which "
                "speedups are over a base from another, and the environment tables name the images."
            )
            others = w.say("; in another than any of them: {apart}", apart=apart) if apart else ""
            yield Statement(w.say(text, others=others))
        else:
            text = (
                "**Several container images:** in another one than the runs: {apart}. The environment tables name the "
                "images."
            )
            yield Statement(w.say(text, apart=apart))


def compliance(evidence: Evidence) -> Iterator[Statement]:
    """R17."""
    rows = [row for row in evidence.compliance if row.satisfied != "not applicable"]
    if not rows:
        return
    w = evidence.wording
    missed = [str(row.rule) for row in rows if row.satisfied == "no"]
    met = len(rows) - len(missed)
    text = (
        "Of the twelve rules for scientific benchmarking, {all} apply to this study and {some} is satisfied{missed}."
        if met == 1
        else "Of the twelve rules for scientific benchmarking, {all} apply to this study and {some} "
        "are satisfied{missed}."
    )
    words = "; rule {rules} is not satisfied" if len(missed) == 1 else "; rules {rules} are not satisfied"
    which = w.say(words, rules=w.enumeration(missed)) if missed else ""
    yield Statement(w.say(text, all=len(rows), some=met, missed=which))


def stopping(evidence: Evidence) -> Iterator[Statement]:
    """R25."""
    w, spec = evidence.wording, evidence.stopping
    if spec is None or not evidence.repeats:
        return
    text = w.say(
        "Each cell was run {least} times or more, until half the {level} interval of its epoch time was at most "
        "{share} of its median{confirmed}, and at most {most} times; runs in which other programs took more than "
        "{limit} of the machine do not count",
        level=w.level(LEVELS.interval),
        least=spec.min,
        share=w.percent(spec.until_ci, 1),
        confirmed=w.say(" and then once more") if spec.confirms and spec.max > spec.min else "",
        most=spec.max,
        limit=w.percent(LOAD_LIMIT),
    )
    states = Counter(row.state for row in evidence.repeats)
    parts = [w.say("{n} of {cells} reached it", n=states["reached"], cells=w.counted(len(evidence.repeats), "cell"))]
    if states["at most"]:
        parts.append(w.say("in {n} the largest number of runs came first", n=states["at most"]))
    if states["running"]:
        lacking = "{n} lacks runs" if states["running"] == 1 else "{n} lack runs"
        parts.append(w.say(lacking, n=states["running"]))
    yield Statement(f"{text}: {w.enumeration(parts)}.")

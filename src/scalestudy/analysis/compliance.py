"""compliance.csv: the twelve rules of Hoefler and Belli, each judged from the data of this study.

T. Hoefler and R. Belli, Scientific Benchmarking of Parallel Computing Systems, SC 2015. Rules that the program keeps
by construction (1 to 4 and 10) are answered from the tables all the same: "no" would be a mistake of the program.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from scalestudy.analysis.cells import CellKey, CellRuns, bases_in, key_of
from scalestudy.analysis.language import LANGUAGES, Language
from scalestudy.analysis.methods import METHODS, printed_intervals
from scalestudy.analysis.statistics import SMALLEST_N, SMALLEST_N_FOR_ORDER_STATISTICS
from scalestudy.analysis.wording import Wording
from scalestudy.records.findings import ComplianceRow
from scalestudy.records.report import CommunicationRow, ReportData, SpeedupRow

Satisfied = Literal["yes", "no", "not applicable"]


class Judgment(NamedTuple):
    """Whether a rule is satisfied, and the phrase that says why, with the values in it."""

    satisfied: Satisfied
    evidence: str
    values: dict[str, object]


EXACT = 1e-9
SIGNIFICANCE = 0.05
SETUP = ("Hosts", "Processor", "Operating system", "Kernel", "Python", "PyTorch", "scalestudy", "Source commit")
"""Lines of the environment table without which a measurement cannot be repeated."""


@dataclass(frozen=True)
class BenchmarkRule:
    """One rule and what judges it."""

    title: str
    judge: Callable[[ReportData, Sequence[CellRuns]], Judgment]


def compliance_rows(data: ReportData, cells: Sequence[CellRuns]) -> list[ComplianceRow]:
    """One row per rule, 1 to 12. ``data`` is the finished report but for this table."""
    language = LANGUAGES[data.words.language]
    rows = []
    for number, rule in enumerate(RULES, start=1):
        judged = rule.judge(data, cells)
        evidence = language.say(judged.evidence, **judged.values)
        title = language.say(rule.title)
        rows.append(ComplianceRow(rule=number, title=title, satisfied=judged.satisfied, evidence=evidence))
    return rows


def _answer(holds: bool, evidence: str, **values: object) -> Judgment:
    return Judgment("yes" if holds else "no", evidence, values)


def _none(evidence: str) -> Judgment:
    return Judgment("not applicable", evidence, {})


def _timed(data: ReportData) -> list[SpeedupRow]:
    return [row for row in data.speedup if row.time_s is not None]


def _ratios(data: ReportData) -> list[SpeedupRow]:
    return [row for row in data.speedup if row.speedup is not None and row.strategy != "serial"]


def _base(data: ReportData, _: Sequence[CellRuns]) -> Judgment:
    rows = _ratios(data)
    if not rows:
        return _none("No speedup is reported.")
    with_base = sum(row.base_time_s is not None for row in rows)
    return _answer(
        with_base == len(rows),
        "{n} of {all} speedups stand beside the absolute time of their base, the tuned serial loop on one device.",
        n=with_base,
        all=len(rows),
    )


def _subsets(data: ReportData, _: Sequence[CellRuns]) -> Judgment:
    lost = [row for row in data.runs if row.outcome != "completed" or row.excluded]
    explained = sum(bool(row.reason or row.excluded) for row in lost)
    if not lost and not data.counts.skipped:
        return _answer(True, "No planned run and no combination is left out.")
    return _answer(
        explained == len(lost),
        "{n} of {all} planned runs and {combinations} are left out; the reason is given for {explained} of these runs "
        "and for every combination.",
        n=len(lost),
        all=len(data.runs),
        combinations=Wording(LANGUAGES[data.words.language]).counted(data.counts.skipped, "combination"),
        explained=explained,
    )


def _costs(data: ReportData, _: Sequence[CellRuns]) -> Judgment:
    rows = [(row.time_s, row.images_per_s) for row in data.speedup if row.time_s and row.images_per_s]
    if not rows:
        return _none("No time is reported.")
    derived = sum(_is_whole(time_s * rate) for time_s, rate in rows)
    return _answer(
        derived == len(rows),
        "By construction of the program: means and medians are taken of times, and {n} of {all} rates are images over "
        "the summarized time.",
        n=derived,
        all=len(rows),
    )


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) <= EXACT * max(1.0, value)


def _no_mean_of_ratios(data: ReportData, _: Sequence[CellRuns]) -> Judgment:
    kept = [_is_ratio_of_times(row) for row in _ratios(data)]
    kept += [_is_share_of_times(row) for row in data.communication if row.cost_share is not None]
    if not kept:
        return _none("No ratio is reported.")
    language = LANGUAGES[data.words.language]
    factors = (
        "; efficiency factors are those of the run with the median time, or of the two around it their geometric mean, "
        "which the rule leaves for ratios"
    )
    return _answer(
        all(kept),
        "By construction of the program: {n} of {all} speedups and shares of communication are the ratio of the two "
        "summarized times{factors}.",
        n=sum(kept),
        all=len(kept),
        factors=language.say(factors) if any(row.parallel is not None for row in data.efficiencies) else "",
    )


def _is_ratio_of_times(row: SpeedupRow) -> bool:
    if row.time_s is None or row.base_time_s is None or row.speedup is None:
        return False
    scale = row.devices if row.scaling == "weak" else 1
    return math.isclose(row.speedup, scale * row.base_time_s / row.time_s, rel_tol=EXACT)


def _is_share_of_times(row: CommunicationRow) -> bool:
    if row.cost_share is None or row.cost_s is None or not row.with_s:
        return False
    return math.isclose(row.cost_share, row.cost_s / row.with_s, rel_tol=EXACT)


def _intervals(data: ReportData, _: Sequence[CellRuns]) -> Judgment:
    rows = _timed(data)
    if not rows:
        return _none("No time is reported.")
    known = sum(row.time_low_s is not None for row in rows)
    text = "{n} of {all} cells have a 95% interval of their time; the others have fewer than {least} runs."
    if known == len(rows):
        text = "{n} of {all} cells have a 95% interval of their time."
    return _answer(known == len(rows), text, n=known, all=len(rows), least=SMALLEST_N)


def _normality(data: ReportData, cells: Sequence[CellRuns]) -> Judgment:
    language = LANGUAGES[data.words.language]
    found = [part for part in (_normal_times(cells, language), _normal_accuracies(data, cells, language)) if part]
    if not found:
        return _none("No interval assumes a distribution: there are too few runs, or no noise.")
    return _answer(all(holds for holds, _ in found), " ".join(text for _, text in found))


def _normal_times(cells: Sequence[CellRuns], language: Language) -> tuple[bool, str] | None:
    """Whether intervals of times assume nothing that a test speaks against, and the words; None: there are none."""
    few = range(SMALLEST_N, SMALLEST_N_FOR_ORDER_STATISTICS)
    samples = [cell.times_s for cell in cells if len(cell.times_s) in few and len(set(cell.times_s)) > 1]
    if not samples and any(len(cell.times_s) >= few.stop for cell in cells):
        return True, language.say("Every interval of a median rests on {least} runs or more.", least=few.stop)
    if not samples:
        return None
    from scipy.stats import combine_pvalues

    p_values = [max(1e-300, p) for p in _shapiro([[math.log(time) for time in times] for times in samples])]
    together = float(combine_pvalues(p_values, method="fisher").pvalue)
    text = language.say(
        "With fewer than {least} runs intervals assume that logarithms of times are normal; Shapiro-Wilk tests of "
        "{cells}, combined by Fisher's method, give p = {p}.",
        least=few.stop,
        cells=Wording(language).counted(len(samples), "cell"),
        p=_p_text(together, language),
    )
    return together >= SIGNIFICANCE, text


def _normal_accuracies(data: ReportData, cells: Sequence[CellRuns], language: Language) -> tuple[bool, str] | None:
    """Likewise of accuracies, whose differences have Welch's interval whatever the number of runs.

    Cells of one global batch share their seeds and often every accuracy, so that their tests are not independent, as
    Fisher's method wants them: the smallest p times their number holds for any. Cells without spread cannot be tested,
    and as their intervals are printed the assumption is unchecked then.
    """
    under, base_of = dict[CellKey, CellRuns](), bases_in(cells)
    printed = {key_of(row) for row in data.accuracy if row.difference_low is not None}
    for cell in cells:
        if cell.key in printed:
            under |= {one.key: one for one in (base_of(cell.cell), cell) if one is not None}
    if not under:
        return None
    spread = [cell for cell in under.values() if len(set(cell.accuracies)) > 1]
    steps = {name: _accuracy_step(name, cells) for name in {cell.cell.workload for cell in spread}}
    p_values = _shapiro([_untied(cell.accuracies, steps[cell.cell.workload]) for cell in spread])
    p_value = min(1.0, len(spread) * min(p_values, default=1.0))
    tested = untested = ""
    wording = Wording(language)
    if spread:
        tested = language.say(
            "; Shapiro-Wilk tests of {cells}, which share seeds, give p = {p}, the smallest times their number",
            cells=wording.counted(len(spread), "cell"),
            p=_p_text(p_value, language),
        )
    if alike := len(under) - len(spread):
        untested = language.say(
            "; no test tells of {cells} whose runs all have one accuracy", cells=wording.counted(alike, "cell")
        )
    text = "Intervals of differences of accuracies assume that accuracies are normal{tested}{untested}."
    return not alike and p_value >= SIGNIFICANCE, language.say(text, tested=tested, untested=untested)


def _shapiro(samples: Sequence[Sequence[float]]) -> list[float]:
    """The p-value of every sample; those of one size are tested in one call, which mostly is the cost."""
    import numpy as np
    from scipy.stats import shapiro

    found: dict[int, Iterator[float]] = {}
    for size in {len(values) for values in samples}:
        alike = [values for values in samples if len(values) == size]
        found[size] = iter(np.asarray(shapiro(alike, axis=1).pvalue).tolist())
    return [next(found[len(values)]) for values in samples]


def _p_text(p_value: float, language: Language) -> str:
    return language.number(f"{p_value:.2g}").replace("\u2212", "-")  # the exponent's minus sign is no real one


def _accuracy_step(workload: str, cells: Sequence[CellRuns]) -> float:
    """By how much two accuracies differ at least: one test image, where any two of all epochs are so close."""
    results = [result for cell in cells if cell.cell.workload == workload for result in cell.results]
    found = sorted({epoch.test_accuracy for result in results for epoch in result.epochs})
    return min((above - below for below, above in pairwise(found) if above - below > EXACT), default=0.0)


def _untied(values: Sequence[float], step: float) -> list[float]:
    """Equal values spread evenly over the step that they were rounded to.

    Accuracies are counts of images. Of three runs two are equal now and then, for which the test, made for numbers that
    never are, gives p = 0.
    """
    return [
        value + step * ((place + 0.5) / count - 0.5)
        for value, count in Counter(values).items()
        for place in range(count)
    ]


def _sound_comparisons(data: ReportData, _: Sequence[CellRuns]) -> Judgment:
    rows = data.comparisons
    if not rows:
        return _none("No two strategies have the same number of devices.")
    known = sum(row.low is not None for row in rows)
    apart = sum(row.verdict in ("faster", "slower") for row in rows)
    return _answer(
        known == len(rows),
        "{n} of {all} comparisons of strategies have an interval of the ratio; {apart} of them leave 1 out.",
        n=known,
        all=len(rows),
        apart=apart,
    )


def _central_tendency(data: ReportData, _: Sequence[CellRuns]) -> Judgment:
    rows = [
        (row.mean_s, row.time_s, row.time_low_s, row.time_high_s)
        for row in data.speedup
        if row.mean_s is not None and row.time_s and row.time_low_s is not None and row.time_high_s is not None
    ]
    if not rows:
        return _none("No cell has an interval.")
    inside = sum(low <= mean <= high for mean, _, low, high in rows)
    apart = max(abs(mean / middle - 1) for mean, middle, _, _ in rows)
    return _answer(
        inside == len(rows),
        "Median and mean are given; they differ by at most {apart}, and the mean lies within the interval of the "
        "median in {n} of {all} cells.",
        apart=Wording(LANGUAGES[data.words.language]).percent(apart, 1),
        n=inside,
        all=len(rows),
    )


def _setup(data: ReportData, _: Sequence[CellRuns]) -> Judgment:
    language = LANGUAGES[data.words.language]
    there = {row.item for row in data.environment}
    lacking = [language.say(item) for item in SETUP if language.say(item) not in there]
    conflicts = [row.item for row in data.environment if row.conflict]
    known = len(SETUP) - len(lacking)
    text = "{n} of {all} items of the set-up are recorded{lacking}{conflicts}."
    return _answer(
        not lacking and not conflicts,
        text,
        n=known,
        all=len(SETUP),
        lacking=language.say("; lacking: {items}", items=", ".join(lacking)) if lacking else "",
        conflicts=language.say("; the records disagree on {items}", items=", ".join(conflicts)) if conflicts else "",
    )


def _methods(data: ReportData, _: Sequence[CellRuns]) -> Judgment:
    named = [method in METHODS for method in printed_intervals(data)]
    if not named:
        return _none("No interval is reported.")
    return _answer(
        all(named),
        "{n} of {all} intervals name their method; that epoch times are the slowest rank's between two barriers is how "
        "the program measures, not a finding.",
        n=sum(named),
        all=len(named),
    )


def _bounds(data: ReportData, _: Sequence[CellRuns]) -> Judgment:
    rows = _ratios(data)
    if not rows:
        return _none("No speedup is reported.")
    bounded = sum(row.ceiling_speedup is not None for row in rows)
    return _answer(
        bounded == len(rows),
        "{n} of {all} speedups stand beside the measured ceiling of their layout, and all beside the ideal.",
        n=bounded,
        all=len(rows),
    )


def _plots(data: ReportData, _: Sequence[CellRuns]) -> Judgment:
    rows = _ratios(data)
    if not rows:
        return _none("No speedup is drawn.")
    complete = sum(row.speedup_low is not None for row in rows)
    return _answer(
        complete == len(rows),
        "{n} of {all} speedups have an interval to draw, and all {runs} runs are listed; what lines join is how the "
        "program draws, not a finding.",
        n=complete,
        all=len(rows),
        runs=len(data.runs),
    )


RULES: tuple[BenchmarkRule, ...] = (
    BenchmarkRule("Speedups name their base case and its absolute time", _base),
    BenchmarkRule("Subsets of runs and resources have their reason", _subsets),
    BenchmarkRule("Arithmetic means summarize costs only", _costs),
    BenchmarkRule("Ratios are not summarized", _no_mean_of_ratios),
    BenchmarkRule("Nondeterministic measurements have confidence intervals", _intervals),
    BenchmarkRule("Normality is not assumed unchecked", _normality),
    BenchmarkRule("Comparisons are statistically sound", _sound_comparisons),
    BenchmarkRule("The measure of central tendency suits the data", _central_tendency),
    BenchmarkRule("All varying factors and the set-up are documented", _setup),
    BenchmarkRule("Measurement, synchronization and summarization are reported", _methods),
    BenchmarkRule("Upper performance bounds are shown", _bounds),
    BenchmarkRule("Plots show what is needed to interpret them", _plots),
)

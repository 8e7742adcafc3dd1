"""compliance.csv: the twelve rules of Hoefler and Belli, each judged from the data of this study.

T. Hoefler and R. Belli, Scientific Benchmarking of Parallel Computing Systems, SC 2015. Rules that the program keeps
by construction (1 to 4 and 10) are answered from the tables all the same: "no" would be a mistake of the program.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from scalestudy.analysis.cells import CellRuns
from scalestudy.analysis.language import LANGUAGES
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
    factors = "; efficiency factors are geometric means over the runs, the mean that the rule leaves for ratios"
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
    few = range(SMALLEST_N, SMALLEST_N_FOR_ORDER_STATISTICS)
    samples = [cell.times_s for cell in cells if len(cell.times_s) in few and len(set(cell.times_s)) > 1]
    if not samples and any(len(cell.times_s) >= few.stop for cell in cells):
        return _answer(True, "Every interval of a median rests on {least} runs or more.", least=few.stop)
    if not samples:
        return _none("No interval assumes a distribution: there are too few runs, or no noise.")
    from scipy.stats import combine_pvalues, shapiro

    p_values = [max(1e-300, float(shapiro([math.log(time) for time in times]).pvalue)) for times in samples]
    together = float(combine_pvalues(p_values, method="fisher").pvalue)
    return _answer(
        together >= SIGNIFICANCE,
        "With fewer than {least} runs intervals assume that logarithms of times are normal; Shapiro-Wilk tests of {n} "
        "cells, combined by Fisher's method, give p = {p}. Accuracies, whose differences assume normality too, are not "
        "tested.",
        least=few.stop,
        n=len(samples),
        p=LANGUAGES[data.words.language].number(f"{together:.2g}").replace("\u2212", "-"),
    )


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

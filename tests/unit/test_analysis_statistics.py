"""Intervals against tests of scipy and statsmodels, against their definitions, and by how often they hold the truth."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats import weightstats

from scalestudy.analysis.statistics import (
    BOOTSTRAP_MEDIANS,
    BOOTSTRAP_T,
    LOG_T,
    ORDER_STATISTICS,
    WELCH_LOG,
    Estimate,
    T,
    equivalence_p_value,
    is_equivalent,
    mean_difference,
    quotient,
    ratio,
    summarize,
    summarize_mean,
)

FIRST = [1.71, 1.65, 1.82, 1.69, 1.74]
SECOND = [3.31, 3.05, 3.22, 3.40]
times = st.floats(min_value=1e-3, max_value=1e3)


@pytest.mark.parametrize("n", [6, 7, 8, 9, 10, 15, 30, 31, 100])
def test_order_statistics_interval_is_that_of_scipys_quantile_test(n):
    values = np.random.default_rng(n).lognormal(size=n)
    expected = stats.quantile_test(values, q=np.median(values), p=0.5).confidence_interval(0.95)
    found = summarize(values.tolist())
    assert (found.low, found.high) == (expected.low, expected.high)
    assert found.value == np.median(values)
    assert found.method == ORDER_STATISTICS


def test_with_six_values_the_interval_is_the_full_range():
    assert summarize([6.0, 1.0, 5.0, 2.0, 4.0, 3.0]) == Estimate(3.5, 1.0, 6.0, ORDER_STATISTICS)


@pytest.mark.parametrize("n", [3, 4, 5])
def test_few_values_get_the_t_interval_of_their_logarithms(n):
    logs = np.log(FIRST[:n])
    low, high = stats.t.interval(0.95, n - 1, loc=logs.mean(), scale=stats.sem(logs))
    found = summarize(FIRST[:n])
    assert (found.low, found.high) == pytest.approx((math.exp(low), math.exp(high)), rel=1e-12)
    assert found.method == LOG_T


@pytest.mark.parametrize("values", [[2.0], [2.0, 4.0]])
def test_one_or_two_values_get_a_median_and_no_interval(values):
    assert summarize(values) == Estimate(sum(values) / len(values))


def test_ratio_interval_is_scipys_welch_interval_of_the_logarithms():
    expected = stats.ttest_ind(np.log(FIRST), np.log(SECOND), equal_var=False).confidence_interval(0.95)
    found = ratio(FIRST, SECOND)
    assert found.value == pytest.approx(1.71 / 3.265)
    assert (found.low, found.high) == pytest.approx((math.exp(expected.low), math.exp(expected.high)), rel=1e-10)
    assert found.method == WELCH_LOG


def test_difference_interval_is_scipys_welch_interval_at_ninety_percent():
    expected = stats.ttest_ind(FIRST, SECOND, equal_var=False).confidence_interval(0.90)
    found = mean_difference(FIRST, SECOND)
    assert found.value == pytest.approx(np.mean(FIRST) - np.mean(SECOND))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-10)


@pytest.mark.parametrize(("first", "second"), [(2, 5), (5, 2), (1, 1)])
def test_a_sample_of_fewer_than_three_leaves_ratio_and_difference_without_interval(first, second):
    for compare in (ratio, mean_difference):
        found = compare(FIRST[:first], (SECOND + FIRST)[:second])
        assert (found.low, found.high, found.method) == (None, None, "")


@pytest.mark.parametrize("call", [lambda: summarize([]), lambda: ratio([], [1.0]), lambda: mean_difference([1.0], [])])
def test_no_values_are_refused(call):
    with pytest.raises(ValueError, match="no value"):
        call()


@given(st.lists(times, min_size=3, max_size=20), st.lists(times, min_size=3, max_size=20))
@settings(max_examples=100)
def test_intervals_hold_their_estimate_and_a_ratio_inverts(first, second):
    for found in (summarize(first), ratio(first, second)):
        assert found.low <= found.value * (1 + 1e-12)
        assert found.high >= found.value * (1 - 1e-12)
    there, back = ratio(first, second), ratio(second, first)
    assert there.value * back.value == pytest.approx(1)
    assert there.low * back.high == pytest.approx(1, rel=1e-6)


@given(st.lists(times, min_size=3, max_size=12), st.floats(min_value=1e-3, max_value=1e3))
@settings(max_examples=50)
def test_a_change_of_unit_changes_the_estimate_by_the_same_factor(values, unit):
    found, scaled = summarize(values), summarize([value * unit for value in values])
    assert (scaled.value, scaled.low, scaled.high) == pytest.approx(
        (found.value * unit, found.low * unit, found.high * unit), rel=1e-9
    )


def test_equal_values_give_an_interval_without_width():
    assert ratio([2.0] * 3, [1.0] * 3) == Estimate(2.0, pytest.approx(2.0), pytest.approx(2.0), WELCH_LOG)
    assert summarize([2.0] * 4).low == pytest.approx(2.0)


@given(
    st.lists(st.floats(0.8, 1.0), min_size=3, max_size=8, unique=True),
    st.lists(st.floats(0.8, 1.0), min_size=3, max_size=8, unique=True),
    st.floats(0.005, 0.2),
)
@settings(max_examples=100)
def test_equivalence_is_what_two_one_sided_tests_of_scipy_find(first, second, margin):
    below = stats.ttest_ind(np.add(first, margin), second, equal_var=False, alternative="greater").pvalue
    above = stats.ttest_ind(np.subtract(first, margin), second, equal_var=False, alternative="less").pvalue
    if min(abs(below - 0.05), abs(above - 0.05)) < 1e-9:
        return  # rounding decides
    assert is_equivalent(mean_difference(first, second), margin) == (max(below, above) < 0.05)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(-0.0099, 0.0099, True), (-0.01, 0.005, False), (-0.005, 0.01, False), (None, None, False)],
)
def test_an_interval_that_touches_the_margin_is_not_equivalent(low, high, verdict):
    assert is_equivalent(Estimate(0.0, low, high), 0.01) is verdict


def test_no_interval_means_no_equivalence_however_close_the_means():
    assert not is_equivalent(mean_difference([0.9, 0.9], [0.9, 0.9]), 0.01)


@pytest.mark.parametrize("n", [3, 5, 6, 9])
def test_median_intervals_hold_the_true_median_in_95_percent_of_samples(n):
    samples = np.random.default_rng(7).lognormal(mean=math.log(8), sigma=0.05, size=(2000, n))
    held = [found.low <= 8 <= found.high for found in map(summarize, samples.tolist())]
    assert np.mean(held) > 0.95 - 3 * math.sqrt(0.95 * 0.05 / len(held))


def test_ratio_intervals_hold_the_true_ratio_in_95_percent_of_samples():
    random = np.random.default_rng(8)
    bases = random.lognormal(mean=math.log(8), sigma=0.02, size=(2000, 3)).tolist()
    cells = random.lognormal(mean=math.log(2), sigma=0.05, size=(2000, 3)).tolist()
    held = [found.low <= 4 <= found.high for found in map(ratio, bases, cells)]
    assert np.mean(held) > 0.95 - 3 * math.sqrt(0.95 * 0.05 / len(held))


def test_the_analysis_imports_neither_scipy_nor_pandas_nor_torch_before_it_needs_them():
    program = "import sys, scalestudy.analysis.analyze; print(sorted({'scipy', 'pandas', 'torch'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_few_values_get_the_t_interval_of_their_mean_and_more_the_studentized_bootstrap():
    low, high = stats.t.interval(0.95, 4, loc=np.mean(FIRST), scale=stats.sem(FIRST))
    found = summarize_mean(FIRST)
    assert (found.value, found.low, found.high) == pytest.approx((np.mean(FIRST), low, high))
    assert found.method == T
    assert summarize_mean(FIRST[:2]) == Estimate(pytest.approx(1.68))
    assert summarize_mean([2.0] * 6) == Estimate(2.0, 2.0, 2.0, BOOTSTRAP_T)
    many = FIRST + SECOND
    assert summarize_mean(many) == summarize_mean(many)
    assert summarize_mean(many).method == BOOTSTRAP_T


def test_the_bootstrap_of_a_large_sample_is_the_normal_interval():
    values = np.random.default_rng(2).normal(8, 0.2, 400)
    low, high = stats.norm.interval(0.95, values.mean(), stats.sem(values))
    found = summarize_mean(values.tolist())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.003)


@pytest.mark.parametrize("n", [3, 5, 6, 10, 20])
def test_mean_intervals_hold_the_true_mean_in_93_to_97_percent_of_samples(n):
    samples = np.random.default_rng(n).lognormal(mean=math.log(8), sigma=0.05, size=(2000, n))
    truth = 8 * math.exp(0.05**2 / 2)
    held = [found.low <= truth <= found.high for found in map(summarize_mean, samples.tolist())]
    assert 0.93 <= np.mean(held) <= 0.97


@pytest.mark.parametrize("n", [3, 4, 5])
def test_median_intervals_of_few_runs_hold_the_truth_in_93_to_97_percent_of_samples(n):
    samples = np.random.default_rng(n).lognormal(mean=math.log(8), sigma=0.05, size=(2000, n))
    held = [found.low <= 8 <= found.high for found in map(summarize, samples.tolist())]
    assert 0.93 <= np.mean(held) <= 0.97


@pytest.mark.parametrize("n", range(6, 51))
def test_the_interval_of_every_n_is_the_shortest_symmetric_one_of_95_percent_and_covers_as_the_binomial_level_says(n):
    found = summarize([float(value) for value in range(1, n + 1)])
    rank = int(found.low)
    assert found.high == n + 1 - rank
    levels = [1 - 2 * stats.binom.cdf(one - 1, n, 0.5) for one in (rank, rank + 1)]
    assert levels[0] >= 0.95 > levels[1]
    samples = np.sort(np.random.default_rng(n).exponential(size=(20_000, n)), axis=1)
    held = np.mean((samples[:, rank - 1] <= math.log(2)) & (math.log(2) <= samples[:, n - rank]))
    assert held == pytest.approx(levels[0], abs=4 * math.sqrt(levels[0] * (1 - levels[0]) / 20_000))


@pytest.mark.parametrize("sizes", [(3, 3), (5, 5), (10, 10), (15, 5)])
def test_ratio_intervals_hold_the_truth_in_93_to_98_percent_of_samples(sizes):
    random = np.random.default_rng(sum(sizes))
    bases = random.lognormal(mean=math.log(8), sigma=0.04, size=(2000, sizes[0])).tolist()
    cells = random.lognormal(mean=math.log(2), sigma=0.04, size=(2000, sizes[1])).tolist()
    held = [found.low <= 4 <= found.high for found in map(ratio, bases, cells)]
    assert 0.93 <= np.mean(held) <= 0.98


def with_slow_runs(n, seed, count):
    """Times around 1 with 1 % spread; one run in five is 10 % slower."""
    random = np.random.default_rng([n, seed])
    return (random.lognormal(0, 0.01, size=(count, n)) * np.where(random.random((count, n)) < 0.2, 1.1, 1)).tolist()


def median_with_slow_runs():
    """Of the population of ``with_slow_runs``, from its distribution function."""

    def below(time):
        return 0.8 * stats.norm.cdf(math.log(time) / 0.01) + 0.2 * stats.norm.cdf(math.log(time / 1.1) / 0.01)

    return optimize.brentq(lambda time: below(time) - 0.5, 0.9, 1.2)


def even(n, seed, count):
    return np.random.default_rng([n, seed]).lognormal(0, 0.01, size=(count, n)).tolist()


@pytest.mark.parametrize(
    ("sizes", "other"),
    [
        *(((n, n), other) for n in (6, 10, 15, 30) for other in (even, with_slow_runs)),
        *((sizes, even) for sizes in ((15, 6), (6, 15), (15, 4), (30, 3))),
    ],
)
def test_a_side_with_slow_runs_leaves_ratio_intervals_at_93_to_98_percent(sizes, other):
    """Slow runs move means of logarithms and not the ratio of the medians, the surer the more runs there are."""
    truth = median_with_slow_runs() / (1 if other is even else median_with_slow_runs())
    pairs = zip(with_slow_runs(sizes[0], 1, 1500), other(sizes[1], 2, 1500), strict=True)
    held = [found.low <= truth <= found.high for found in (ratio(*pair) for pair in pairs)]
    assert 0.93 <= np.mean(held) <= 0.983


@pytest.mark.parametrize("n", [6, 10, 15, 30])
@pytest.mark.parametrize("level", [0.99, 0.999])
def test_ratio_intervals_of_many_comparisons_hold_their_level_with_slow_runs_on_one_side(n, level):
    pairs = zip(with_slow_runs(n, 3, 1500), even(n, 4, 1500), strict=True)
    held = [found.low <= median_with_slow_runs() <= found.high for found in (ratio(*pair, level) for pair in pairs)]
    assert np.mean(held) >= level - 3 * math.sqrt(level * (1 - level) / len(held))


def test_the_bootstrap_of_large_samples_is_the_normal_interval_of_the_ratio_of_medians():
    random = np.random.default_rng(12)
    first, second = random.lognormal(1, 0.05, size=(2, 1001))
    found = ratio(first.tolist(), second.tolist())
    half = 1.96 * 0.05 * math.sqrt(math.pi / 2) * math.sqrt(2 / 1001)
    assert found.method == BOOTSTRAP_MEDIANS
    assert math.log(found.high / found.low) == pytest.approx(2 * half, rel=0.1)
    assert found.low < found.value < found.high


def test_the_method_of_a_ratio_follows_the_larger_side():
    assert ratio(FIRST, SECOND).method == WELCH_LOG
    assert ratio(FIRST, [*SECOND, 3.1, 3.2]).method == ratio([*SECOND, 3.1, 3.2], FIRST).method == BOOTSTRAP_MEDIANS


def test_a_mean_of_nearly_equal_values_gets_the_t_interval():
    """A third of the resamples is all one value: what they would say of the t-statistic is unbounded."""
    values = [8.0] * 5 + [9.0]
    low, high = stats.t.interval(0.95, 5, loc=np.mean(values), scale=stats.sem(values))
    found = summarize_mean(values)
    assert (found.low, found.high, found.method) == (pytest.approx(low), pytest.approx(high), T)


def test_resamples_of_one_value_are_told_by_their_values():
    """Their standard deviation is not exactly 0: 0.1 three times has a mean above 0.1."""
    values = [0.1, 0.3, 0.7, 0.1, 0.3, 0.1, 0.1]
    found = summarize_mean(values)
    assert found.method == BOOTSTRAP_T
    assert found.high - found.low < 2


@given(
    st.lists(st.floats(0.8, 1.0), min_size=3, max_size=8, unique=True),
    st.lists(st.floats(0.8, 1.0), min_size=3, max_size=8, unique=True),
    st.floats(0.005, 0.2),
)
@settings(max_examples=100)
def test_the_p_value_of_equivalence_is_the_larger_of_scipys_two_tests(first, second, margin):
    below = stats.ttest_ind(np.add(first, margin), second, equal_var=False, alternative="greater").pvalue
    above = stats.ttest_ind(np.subtract(first, margin), second, equal_var=False, alternative="less").pvalue
    assert equivalence_p_value(first, second, margin) == pytest.approx(max(below, above), abs=1e-9)
    assert equivalence_p_value(first[:2], second, margin) is None


@given(
    st.lists(st.floats(0.8, 1.0), min_size=3, max_size=8),
    st.lists(st.floats(0.8, 1.0), min_size=3, max_size=8),
    st.floats(0.005, 0.2),
)
@settings(max_examples=100)
def test_equivalence_is_that_of_the_two_one_sided_tests_of_statsmodels(first, second, margin):
    """Whole, as another program has them: Welch's, with the p-value and the 90 % interval that go with each other."""
    assume(np.std(first) + np.std(second) > 1e-6)
    means = weightstats.CompareMeans.from_data(first, second)
    p_value, *_ = weightstats.ttost_ind(first, second, -margin, margin, usevar="unequal")
    found = mean_difference(first, second)
    assert equivalence_p_value(first, second, margin) == pytest.approx(p_value, abs=1e-9)
    assert (found.low, found.high) == pytest.approx(means.tconfint_diff(alpha=0.1, usevar="unequal"), abs=1e-9)


@pytest.mark.parametrize(("n", "most"), [(5, 0.97), (6, 0.98)])
def test_a_quotient_of_two_measurements_holds_the_truth_in_93_to_97_percent_of_studies(n, most):
    """Somewhat more often with bootstrap intervals of few runs, which are wide themselves."""
    random = np.random.default_rng(8)
    held = []
    for _ in range(1000):
        samples = [random.lognormal(0, noise, size=n).tolist() for noise in (0.03, 0.03, 0.05, 0.03)]
        found = quotient(ratio(*samples[:2]), ratio(*samples[2:]))
        held.append(found.low <= 1 <= found.high)
    assert 0.93 <= np.mean(held) <= most


def test_a_quotient_has_an_interval_where_both_have_one():
    assert quotient(Estimate(3.0, 2.0, 4.0), Estimate(2.0)) == Estimate(1.5)
    found = quotient(Estimate(3.0, 1.5, 6.0), Estimate(2.0, 2.0, 2.0))
    assert (found.value, found.low, found.high) == pytest.approx((1.5, 0.75, 3.0))


PRINTED_RANKS = {
    6: (1, 6, 96.9), 7: (1, 7, 98.4), 8: (1, 8, 99.2), 9: (2, 8, 96.1), 10: (2, 9, 97.9), 11: (2, 10, 98.8),
    12: (3, 10, 96.1), 13: (3, 11, 97.8), 14: (3, 12, 98.7), 15: (4, 12, 96.5), 16: (4, 13, 97.9), 17: (5, 13, 95.1),
    18: (5, 14, 96.9), 19: (5, 15, 98.1), 20: (6, 15, 95.9),
}  # fmt: skip
"""Ranks of the interval for a population's median and its level in percent: of the symmetric intervals of at least
95 %, which have as many values below as above them, the shortest. After K. R. Nair, Table of confidence interval for
the median, Sankhya 4 (1940), as R. D. Jarrard, Scientific Methods (2001), prints it in table 5 after Dixon and Massey
(1969); its 98.1 for 7 values is a misprint of 98.4, 1 - 2 / 2**7."""


@pytest.mark.parametrize(("n", "printed"), PRINTED_RANKS.items())
def test_the_ranks_are_those_of_printed_tables(n, printed):
    found = summarize([float(value) for value in range(1, n + 1)])
    assert (found.low, found.high) == printed[:2]
    assert 100 * (1 - 2 * stats.binom.cdf(printed[0] - 1, n, 0.5)) == pytest.approx(printed[2], abs=0.06)


def accuracies(truth, n, seed, count=2000):
    """Final test accuracies of so many studies of n runs each, 0.4 percentage points around their truth."""
    return np.random.default_rng(seed).normal(truth, 0.004, size=(count, n)).tolist()


@pytest.mark.parametrize(("sizes", "most"), [((3, 3), 0.94), ((5, 5), 0.92), ((10, 5), 0.92), ((15, 15), 0.92)])
def test_intervals_of_accuracy_differences_hold_the_truth_in_88_to_92_percent_of_studies(sizes, most):
    """With three runs on both sides Welch's degrees of freedom are underestimated: a little more often."""
    cells, bases = accuracies(0.89, sizes[0], 1), accuracies(0.9, sizes[1], 2)
    held = [found.low <= -0.01 <= found.high for found in map(mean_difference, cells, bases)]
    assert 0.88 <= np.mean(held) <= most


@pytest.mark.parametrize("sizes", [(5, 5), (10, 10), (15, 5)])
def test_a_difference_of_just_the_margin_is_called_equivalent_in_at_most_5_percent_of_studies(sizes):
    cells, bases = accuracies(0.89, sizes[0], 3), accuracies(0.9, sizes[1], 4)
    wrong = np.mean([is_equivalent(mean_difference(*pair), 0.01) for pair in zip(cells, bases, strict=True)])
    assert wrong <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / len(cells))
    pairs = zip(accuracies(0.9, 10, 5), bases, strict=True)
    assert np.mean([is_equivalent(mean_difference(*pair), 0.01) for pair in pairs]) > 0.5  # no difference is found so

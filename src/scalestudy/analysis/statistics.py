"""Medians, ratios and differences with intervals; which method when, and why, stands in docs/statistics.md.

Source: T. Hoefler and R. Belli, "Scientific Benchmarking of Parallel Computing Systems", SC 2015, rules 5 to 8.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from statistics import fmean, median
from typing import TYPE_CHECKING

from scalestudy.analysis.resampling import bootstrap_t, resampled_medians, t_draws

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVEL = 0.95
SMALLEST_N = 3
"""Fewer values get no interval."""
SMALLEST_N_FOR_ORDER_STATISTICS = 6
"""With five values or fewer not even the full range covers the median in 95 % of the cases: 1 - 2 * 0.5**5 = 0.9375."""

ORDER_STATISTICS = "order statistics (exact)"
OPEN_ABOVE = "order statistics (exact), open above"
LOG_T = "t-interval on logarithms"
WELCH_LOG = "Welch t-interval on logarithms"
WELCH = "Welch t-interval"
T = "t-interval"
BOOTSTRAP_T = "studentized bootstrap"
BOOTSTRAP_MEDIANS = "bootstrap of the medians"
MOVER_LOG = "MOVER on logarithms"


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; ``low``, ``high`` and ``method`` are None, None and empty where there is none.

    An interval that is open above has no ``high`` and says so in its method.
    """

    value: float
    low: float | None = None
    high: float | None = None
    method: str = ""

    def scaled(self, factor: float) -> "Estimate":
        """The estimate times a positive constant."""
        low = None if self.low is None else self.low * factor
        high = None if self.high is None else self.high * factor
        return Estimate(self.value * factor, low, high, self.method)


def summarize(times_s: Sequence[float]) -> Estimate:
    """Median of positive times with a 95 % interval for the population's median.

    From 6 values on the interval lies between two of the values with symmetric ranks (exact for any distribution),
    with 3 to 5 it is the t-interval of the mean logarithm, exponentiated, and with fewer there is none. Raises
    ValueError for no value.
    """
    ordered = sorted(times_s)
    n = len(ordered)
    if n == 0:
        raise ValueError("no value to summarize")
    middle = float(median(ordered))
    if n < SMALLEST_N:
        return Estimate(middle)
    if n >= SMALLEST_N_FOR_ORDER_STATISTICS:
        rank = _lower_rank(n)
        return Estimate(middle, ordered[rank - 1], ordered[n - rank], ORDER_STATISTICS)
    logs = [math.log(value) for value in ordered]
    half = _t_quantile(0.975, n - 1) * math.sqrt(variance(logs) / n)
    center = fmean(logs)
    return Estimate(middle, math.exp(center - half), math.exp(center + half), LOG_T)


def summarize_mean(times_s: Sequence[float]) -> Estimate:
    """Mean with a 95 % interval for the population's mean.

    From 6 values on by the studentized bootstrap (B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993,
    section 12.5), which follows the skewness of the sample; with 3 to 5, or nearly all values equal, where there is too
    little to draw from, by the t-interval; with fewer there is none. Raises ValueError for no value.
    """
    n = len(times_s)
    if n == 0:
        raise ValueError("no value to summarize")
    center = fmean(times_s)
    if n < SMALLEST_N:
        return Estimate(center)
    error = math.sqrt(variance(times_s) / n)
    if n >= SMALLEST_N_FOR_ORDER_STATISTICS:
        if not error:
            return Estimate(center, center, center, BOOTSTRAP_T)
        if quantiles := bootstrap_t(times_s, center):
            low, high = quantiles
            return Estimate(center, center - high * error, center - low * error, BOOTSTRAP_T)
    half = _t_quantile(0.975, n - 1) * error
    return Estimate(center, center - half, center + half, T)


def ratio(numerator_s: Sequence[float], denominator_s: Sequence[float], level: float = LEVEL) -> Estimate:
    """Median of one sample of times over that of the other, with an interval where both have 3 values or more.

    With 3 to 5 values on both sides the interval is Welch's for the difference of the mean logarithms, exponentiated.
    With more on either side it is the percentile bootstrap of the ratio of the medians: means of logarithms are
    another quantity once one side is skewed. Above 95 % it is widened to Welch's, since no resample lies beyond the
    values that were measured. Raises ValueError when a sample is empty.
    """
    if not numerator_s or not denominator_s:
        raise ValueError("no value to compare")
    value = float(median(numerator_s) / median(denominator_s))
    if min(len(numerator_s), len(denominator_s)) < SMALLEST_N:
        return Estimate(value)
    if max(len(numerator_s), len(denominator_s)) < SMALLEST_N_FOR_ORDER_STATISTICS:
        bounds, method = _welch_of_logarithms(numerator_s, denominator_s, level), WELCH_LOG
    else:
        bounds, method = _bootstrap_of_medians(numerator_s, denominator_s, level), BOOTSTRAP_MEDIANS
        if level > LEVEL:
            welch = _welch_of_logarithms(numerator_s, denominator_s, level)
            bounds = min(bounds[0], welch[0]), max(bounds[1], welch[1])
    low, high = (math.exp(bound) for bound in bounds)
    return Estimate(value, min(low, value), max(high, value), method)


def _welch_of_logarithms(first: Sequence[float], second: Sequence[float], level: float) -> tuple[float, float]:
    return _welch([math.log(time) for time in first], [math.log(time) for time in second], level)


def _bootstrap_of_medians(first: Sequence[float], second: Sequence[float], level: float) -> tuple[float, float]:
    """Ends of the interval for the difference of the logarithms of two medians.

    Each side gives two streams of draws, and each meets the other stream of the other side: when the sides change
    places, so do the ends.
    """
    import numpy as np

    streams = ((0, 1), (1, 0))
    one_side, other_side = tuple(first), tuple(second)
    drawn = np.concatenate([_log_medians(one_side, one) - _log_medians(other_side, other) for one, other in streams])
    outside = int((1 - level) / 2 * len(drawn))
    drawn.partition([outside, len(drawn) - 1 - outside])
    return float(drawn[outside]), float(drawn[-1 - outside])


@lru_cache(maxsize=256)  # a base stands under the ratios of many cells
def _log_medians(times_s: tuple[float, ...], stream: int) -> "NDArray[np.float64]":
    """Where the logarithm of the population's median may lie: by resampling, or with 3 to 5 values, where there is too
    little to draw from, by the t-distribution of the mean logarithm."""
    import numpy as np

    n = len(times_s)
    if n >= SMALLEST_N_FOR_ORDER_STATISTICS:
        return np.log(resampled_medians(times_s, stream))
    logs = [math.log(time) for time in times_s]
    return fmean(logs) + t_draws(n - 1, stream) * math.sqrt(variance(logs) / n)


def holds_one(low: float, high: float) -> bool:
    """Whether the interval of a ratio, ends included, leaves open which of the two is larger."""
    return low <= 1 <= high


def quotient(numerator: Estimate, denominator: Estimate) -> Estimate:
    """One estimate over another that was measured apart from it, both positive, with an interval where both have one.

    The distances of the ends in logarithms add up as squares (the method of variance estimates recovery: G. Y. Zou
    and A. Donner, Statistics in Medicine 27, 2008).
    """
    value = numerator.value / denominator.value
    if numerator.low is None or numerator.high is None or denominator.low is None or denominator.high is None:
        return Estimate(value)
    below = math.hypot(math.log(numerator.value / numerator.low), math.log(denominator.high / denominator.value))
    above = math.hypot(math.log(numerator.high / numerator.value), math.log(denominator.value / denominator.low))
    return Estimate(value, value * math.exp(-below), value * math.exp(above), MOVER_LOG)


def mean_difference(values: Sequence[float], reference: Sequence[float]) -> Estimate:
    """Mean of the values less that of the reference, with Welch's 90 % interval where both have 3 values or more.

    Two one-sided tests at 5 % find equivalence exactly when this interval lies within the margin (D. J. Schuirmann,
    1987). Raises ValueError when a sample is empty.
    """
    if not values or not reference:
        raise ValueError("no value to compare")
    value = fmean(values) - fmean(reference)
    if min(len(values), len(reference)) < SMALLEST_N:
        return Estimate(value)
    return Estimate(value, *_welch(values, reference, level=0.90), WELCH)


def is_equivalent(difference: Estimate, margin: float) -> bool:
    """Whether two one-sided tests at 5 % reject every difference of the margin or more, in either direction."""
    return (
        difference.low is not None
        and difference.high is not None
        and -margin < difference.low <= difference.high < margin
    )


def equivalence_p_value(values: Sequence[float], reference: Sequence[float], margin: float) -> float | None:
    """The larger p-value of two one-sided Welch tests against differences of ``-margin`` and ``margin``.

    Below 0.05 exactly when ``is_equivalent`` holds for ``mean_difference``. None for samples of fewer than 3 values.
    """
    if min(len(values), len(reference)) < SMALLEST_N:
        return None
    difference, error, freedom = _welch_terms(values, reference)
    distance = margin - abs(difference)
    if error == 0:
        return 0.0 if distance > 0 else 1.0
    from scipy.special import stdtr

    return float(stdtr(freedom, -distance / error))


def _welch(first: Sequence[float], second: Sequence[float], level: float) -> tuple[float, float]:
    """Interval for the difference of two means, first less second, with the Welch-Satterthwaite degrees of freedom."""
    difference, error, freedom = _welch_terms(first, second)
    if error == 0:
        return difference, difference
    half = _t_quantile((1 + level) / 2, freedom) * error
    return difference - half, difference + half


def _welch_terms(first: Sequence[float], second: Sequence[float]) -> tuple[float, float, float]:
    """Difference of the means, its standard error, and degrees of freedom (1 where there is no spread)."""
    difference = fmean(first) - fmean(second)
    squares = [variance(sample) / len(sample) for sample in (first, second)]
    total = sum(squares)
    if total == 0:
        return difference, 0.0, 1.0
    shares = [square / total for square in squares]  # before squaring: tiny variances would underflow
    freedom = 1 / sum(share**2 / (len(sample) - 1) for share, sample in zip(shares, (first, second), strict=True))
    return difference, math.sqrt(total), freedom


def variance(values: Sequence[float]) -> float:
    """Of a sample of two values or more; exactly 0 for equal ones.

    Twenty times as fast as that of the standard library, which counts in fractions, and as close as a float can say.
    """
    if min(values) == max(values):
        return 0.0
    center = fmean(values)
    return math.fsum((value - center) ** 2 for value in values) / (len(values) - 1)


def _t_quantile(probability: float, freedom: float) -> float:
    from scipy.special import stdtrit  # not scipy.stats, whose import takes a second longer

    return float(stdtrit(freedom, probability))


@cache
def _lower_rank(n: int) -> int:
    """Largest k such that the k-th smallest of n values exceeds the median with a probability of at most 2.5 %."""
    from scipy.special import bdtr

    return max(k for k in range(1, n // 2 + 1) if bdtr(k - 1, n, 0.5) <= 0.025)

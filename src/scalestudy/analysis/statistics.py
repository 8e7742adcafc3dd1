"""Medians, ratios and differences with intervals; which method when, and why, stands in docs/statistics.md.

Source: T. Hoefler and R. Belli, "Scientific Benchmarking of Parallel Computing Systems", SC 2015, rules 5 to 8.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median, variance

SMALLEST_N = 3
"""Fewer values get no interval."""
SMALLEST_N_FOR_ORDER_STATISTICS = 6
"""With five values or fewer not even the full range covers the median in 95 % of the cases: 1 - 2 * 0.5**5 = 0.9375."""

ORDER_STATISTICS = "order statistics (exact)"
LOG_T = "t-interval on logarithms"
WELCH_LOG = "Welch t-interval on logarithms"
PLAIN_T = "t-interval"


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; ``low``, ``high`` and ``method`` are None, None and empty where there is none."""

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

    From 6 values on the interval lies between two of the values (exact for any distribution), with 3 to 5 it is the
    t-interval of the mean logarithm, exponentiated, and with fewer there is none. Raises ValueError for no value.
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


def summarize_differences(values: Sequence[float]) -> Estimate:
    """Median of values of either sign with a 95 % interval: as ``summarize``, with the plain t-interval for 3 to 5.

    Raises ValueError for no value.
    """
    n = len(values)
    if n == 0:
        raise ValueError("no value to summarize")
    middle = float(median(values))
    if n < SMALLEST_N:
        return Estimate(middle)
    if n >= SMALLEST_N_FOR_ORDER_STATISTICS:
        ordered, rank = sorted(values), _lower_rank(n)
        return Estimate(middle, ordered[rank - 1], ordered[n - rank], ORDER_STATISTICS)
    half = _t_quantile(0.975, n - 1) * math.sqrt(variance(values) / n)
    return Estimate(middle, fmean(values) - half, fmean(values) + half, PLAIN_T)


def ratio(numerator_s: Sequence[float], denominator_s: Sequence[float]) -> Estimate:
    """Median of one sample of times over that of the other, with a 95 % interval where both have 3 values or more.

    The interval is Welch's for the difference of the mean logarithms, exponentiated, and stretched to hold the ratio
    of the medians should a skewed sample put that outside. Raises ValueError when a sample is empty.
    """
    if not numerator_s or not denominator_s:
        raise ValueError("no value to compare")
    value = float(median(numerator_s) / median(denominator_s))
    logs = [math.log(time) for time in numerator_s], [math.log(time) for time in denominator_s]
    bounds = _welch(*logs, level=0.95)
    if bounds is None:
        return Estimate(value)
    low, high = (math.exp(bound) for bound in bounds)
    return Estimate(value, min(low, value), max(high, value), WELCH_LOG)


def mean_difference(values: Sequence[float], reference: Sequence[float]) -> Estimate:
    """Mean of the values less that of the reference, with Welch's 90 % interval where both have 3 values or more.

    Two one-sided tests at 5 % find equivalence exactly when this interval lies within the margin (D. J. Schuirmann,
    1987). Raises ValueError when a sample is empty.
    """
    if not values or not reference:
        raise ValueError("no value to compare")
    value = fmean(values) - fmean(reference)
    bounds = _welch(values, reference, level=0.90)
    return Estimate(value) if bounds is None else Estimate(value, *bounds, "Welch t-interval")


def is_equivalent(difference: Estimate, margin: float) -> bool:
    """Whether two one-sided tests at 5 % reject every difference of the margin or more, in either direction."""
    return (
        difference.low is not None
        and difference.high is not None
        and -margin < difference.low <= difference.high < margin
    )


def _welch(first: Sequence[float], second: Sequence[float], level: float) -> tuple[float, float] | None:
    """Interval for the difference of two means, first less second, with the Welch-Satterthwaite degrees of freedom."""
    if min(len(first), len(second)) < SMALLEST_N:
        return None
    difference = fmean(first) - fmean(second)
    squares = [variance(sample) / len(sample) for sample in (first, second)]
    total = sum(squares)
    if total == 0:
        return difference, difference
    shares = [square / total for square in squares]  # before squaring: tiny variances would underflow
    freedom = 1 / sum(share**2 / (len(sample) - 1) for share, sample in zip(shares, (first, second), strict=True))
    half = _t_quantile((1 + level) / 2, freedom) * math.sqrt(total)
    return difference - half, difference + half


def _t_quantile(probability: float, freedom: float) -> float:
    from scipy.special import stdtrit  # not scipy.stats, whose import takes a second longer

    return float(stdtrit(freedom, probability))


def _lower_rank(n: int) -> int:
    """Largest k such that the k-th smallest of n values exceeds the median with a probability of at most 2.5 %."""
    from scipy.special import bdtr

    return max(k for k in range(1, n // 2 + 1) if bdtr(k - 1, n, 0.5) <= 0.025)

"""Draws for the bootstrap intervals of statistics.py, always the same: the same times give the same interval.

Source: B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993.
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 1999
SEED = 20151115
CONSTANT = 0.025
"""Largest share of resamples of one value that the quantiles of the others can do without."""
MEDIANS = 1000
"""Draws of the median of one side of a ratio in each of its two streams."""


def bootstrap_t(values: Sequence[float], center: float) -> tuple[float, float] | None:
    """The 2.5 and 97.5 % quantiles of the t-statistic of the mean over resamples; section 12.5 of the source.

    A resample that is all one value has none. None where they are so many that they could hide a quantile.
    """
    import numpy as np

    columns = np.asarray(values)[_resamples(len(values))]
    usable = columns.max(axis=0) > columns.min(axis=0)  # rounding may leave equal values a spread
    if np.mean(usable) < 1 - CONSTANT:
        return None
    sample = columns.T.compress(usable, axis=0)
    means = sample.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.square(sample - means).sum(axis=1) / (len(values) - 1))
    statistic = (means[:, 0] - center) / (spread / math.sqrt(len(values)))
    low, high = np.quantile(statistic, [0.025, 0.975])
    return float(low), float(high)


@cache
def _resamples(n: int) -> "NDArray[np.int64]":
    """Which values each resample of n values takes, a resample in each column [n, RESAMPLES]."""
    import numpy as np

    return np.ascontiguousarray(np.random.default_rng([SEED, n]).integers(0, n, size=(RESAMPLES, n)).T)


def resampled_medians(values: Sequence[float], stream: int) -> "NDArray[np.float64]":
    """Medians of MEDIANS resamples of the values; streams are independent of each other."""
    import numpy as np

    ordered = np.sort(np.asarray(values, dtype=np.float64))
    lower, upper = _middles(len(ordered), stream)
    medians: NDArray[np.float64] = (ordered[lower] + ordered[upper]) / 2
    return medians


@cache
def _middles(n: int, stream: int) -> "NDArray[np.int64]":
    """Places, among n ordered values, of the two values in the middle of each resample [2, MEDIANS].

    A resample takes the places ``floor(n u)`` of n uniform numbers u, whose k-th smallest has a beta distribution: its
    evenly spaced quantiles stand for more resamples than could be drawn, and no resample has to be sorted.
    """
    import numpy as np
    from scipy.special import betaincinv

    middle = (n + 1) // 2
    lower = betaincinv(middle, n + 1 - middle, _spaced(n, stream, 0))
    upper = lower if n % 2 else 1 - (1 - lower) * (1 - _spaced(n, stream, 1)) ** (1 / middle)
    return np.minimum(n - 1, np.stack([lower, upper]) * n).astype(np.int64)


@cache
def t_draws(freedom: int, stream: int) -> "NDArray[np.float64]":
    """MEDIANS numbers of Student's t-distribution: its evenly spaced quantiles in random order."""
    import numpy as np
    from scipy.special import stdtrit

    draws: NDArray[np.float64] = np.asarray(stdtrit(freedom, _spaced(freedom, stream, 0)))
    return draws


def _spaced(*key: int) -> "NDArray[np.float64]":
    """MEDIANS evenly spaced numbers in (0, 1), in a random order that the key decides."""
    import numpy as np

    order: NDArray[np.int64] = np.random.default_rng([SEED, *key]).permutation(MEDIANS)
    return (order + 0.5) / MEDIANS

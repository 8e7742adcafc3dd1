"""Where the means of a few runs may lie: draws from the multivariate t-distribution that their spread implies.

Resampling three runs cannot tell how far off their mean may be: its percentile interval holds the truth in some 70 %.
Source: A. Gelman et al., Bayesian Data Analysis, 3rd edition, 2013, section 3.6 (a flat prior on the means).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def draw_means(groups: Sequence[Array], random: np.random.Generator, count: int) -> Array:
    """``count`` draws of the mean of each group of runs, ``[count, groups, quantities]``.

    Each group is ``[runs, quantities]``; quantities of one run vary together, and all groups have the same spread,
    which is taken from all of them. Groups of one run each say nothing of it: then every draw is the mean itself.
    """
    means = np.stack([group.mean(axis=0) for group in groups])
    apart = np.concatenate([group - group.mean(axis=0) for group in groups])
    freedom = len(apart) - len(groups)
    if freedom == 0:
        return np.broadcast_to(means, (count, *means.shape)).copy()
    scale = 1 / np.sqrt(random.chisquare(freedom, size=(count, 1, 1)))
    sizes = np.sqrt([len(group) for group in groups])[:, None]
    drawn: Array = means + random.standard_normal((count, len(groups), len(apart))) @ apart / sizes * scale
    return drawn

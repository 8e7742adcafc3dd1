"""links.csv: latency and time per byte of an all-reduce, ``alpha + beta * bytes``, fitted to its measured times.

Source of the model: R. W. Hockney, "The communication challenge for MPP", Parallel Computing 20 (1994); for collectives
R. Thakur, R. Rabenseifner, W. Gropp, "Optimization of Collective Communication Operations in MPICH", IJHPCA 19 (2005).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalestudy.records.probe import AllReduce, Group, Probe
from scalestudy.records.report import LinkRow

RESAMPLES = 1000
METHOD = (
    "least squares of the relative errors of the medians, neither parameter below 0; "
    f"95% percentile bootstrap over the repeats of each size, {RESAMPLES} resamples"
)
LEAST_SIZES = 3
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Link:
    """A fit, and the row that tells of it."""

    row: LinkRow

    def time_s(self, size: float) -> float:
        """Of a message of so many bytes."""
        return self.row.alpha_s + self.row.beta_s_per_byte * size

    def is_of(self, probe: Probe, group: Group) -> bool:
        """Whether it was fitted to this group of this probe."""
        layout = (self.row.nodes, self.row.devices)
        return layout == (probe.nodes, probe.nodes * probe.devices_per_node) and self.row.group == group


def fit_links(probe: Probe) -> Iterator[Link]:
    """One fit per group of ranks with messages of at least three sizes."""
    groups: tuple[Group, ...] = ("all", "nodes")
    for group in groups:
        samples = [sample for sample in probe.all_reduce if sample.group == group]
        if len(samples) >= LEAST_SIZES:
            yield _fit(probe, samples)


def alpha_beta(sizes: Sequence[float], times_s: ArrayLike) -> FloatArray:
    """The fit itself, of the times of each size ``[..., sizes]``: seconds and seconds per byte ``[..., 2]``.

    Every size counts alike, whatever its time. Where the better fit has a negative parameter, that one is 0: the least
    squares of two parameters that may not be negative (C. Lawson and R. Hanson, Solving Least Squares Problems, 1974).
    """
    weights = 1 / np.asarray(times_s, dtype=np.float64)
    scale = float(max(sizes))  # both columns of about one size
    slopes = weights * (np.asarray(sizes, dtype=np.float64) / scale)
    aa, ab, bb = (np.sum(one * other, axis=-1) for one, other in ((weights, weights), (weights, slopes), (slopes,) * 2))
    a, b = weights.sum(axis=-1), slopes.sum(axis=-1)
    determinant = aa * bb - ab**2
    alpha, beta = (a * bb - b * ab) / determinant, (b * aa - a * ab) / determinant
    return np.stack(
        [
            np.where(alpha < 0, 0.0, np.where(beta < 0, a / aa, alpha)),
            np.where(beta < 0, 0.0, np.where(alpha < 0, b / bb, beta)) / scale,
        ],
        axis=-1,
    )


def _fit(probe: Probe, samples: Sequence[AllReduce]) -> Link:
    sizes = [float(sample.bytes) for sample in samples]
    medians = [median(sample.time_s) for sample in samples]
    alpha, beta = alpha_beta(sizes, medians).tolist()
    random = np.random.default_rng(0)  # the same numbers for the same data
    drawn = np.stack(
        [
            np.median(random.choice(np.asarray(sample.time_s), size=(RESAMPLES, len(sample.time_s))), axis=1)
            for sample in samples
        ],
        axis=1,
    )
    low, high = np.percentile(alpha_beta(sizes, drawn), [2.5, 97.5], axis=0).tolist()
    errors = [abs(alpha + beta * size - time) / time for size, time in zip(sizes, medians, strict=True)]
    return Link(
        LinkRow(
            nodes=probe.nodes,
            devices=probe.nodes * probe.devices_per_node,
            group=samples[0].group,
            ranks=samples[0].ranks,
            backend=probe.backend,
            sizes=len(sizes),
            repeats=min(len(sample.time_s) for sample in samples),
            alpha_s=alpha,
            alpha_low_s=min(low[0], alpha),
            alpha_high_s=max(high[0], alpha),
            beta_s_per_byte=beta,
            beta_low_s_per_byte=min(low[1], beta),
            beta_high_s_per_byte=max(high[1], beta),
            largest_error=max(errors),
        )
    )

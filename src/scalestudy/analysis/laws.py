"""Scaling laws, and how they are fitted to speedups.

G. M. Amdahl, Validity of the single processor approach to achieving large scale computing capabilities, AFIPS 1967;
J. L. Gustafson, Reevaluating Amdahl's law, CACM 31 (1988); N. J. Gunther, Guerrilla Capacity Planning, Springer 2007
(the Universal Scalability Law).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

LawName = Literal["amdahl", "gustafson", "usl"]
Vector = Any
"""A NumPy array: NumPy is imported where it is used."""
LOG_NONE = math.log(1e-12)
"""In place of the logarithm of a speedup that is none: behind the pole of a law with a negative serial fraction."""


@dataclass(frozen=True)
class Law:
    """A speedup as a function of the number of devices, 1 at one device."""

    name: LawName
    parameters: tuple[str, ...]
    speedup: Callable[[Vector, Vector], Vector]
    """Of devices [n] and parameters [k]."""

    @property
    def least(self) -> int:
        """Numbers of devices above 1 that a fit needs: one more than leaves a residual, so that one can be left out."""
        return len(self.parameters) + 2


LAWS: dict[LawName, Law] = {
    "amdahl": Law("amdahl", ("serial_fraction",), lambda p, f: p / (1 + f[0] * (p - 1))),
    "usl": Law("usl", ("sigma", "kappa"), lambda p, f: p / (1 + f[0] * (p - 1) + f[1] * p * (p - 1))),
    "gustafson": Law("gustafson", ("serial_fraction",), lambda p, f: p - f[0] * (p - 1)),
}
OF_SCALING: dict[str, tuple[LawName, ...]] = {
    "strong": ("amdahl", "usl"),
    "epoch": ("amdahl", "usl"),
    "weak": ("gustafson",),
}
"""Amdahl and the USL hold the work fixed; Gustafson lets it grow with the devices."""


@dataclass(frozen=True)
class Fit:
    """A law fitted to speedups, with what its intervals need."""

    law: Law
    values: Vector
    """[k]"""
    covariance: Vector
    """[k, k]"""
    variance: float
    """Of the logarithm of a time around the law: a speedup has it twice, once from its cell and once from the base."""
    freedom: int

    def intervals(self) -> list[tuple[float, float]]:
        """95 % interval of each parameter, from the linearized law and the t-distribution."""
        half = _t(self.freedom)
        spreads = [math.sqrt(max(0.0, self.covariance[k, k])) for k in range(len(self.values))]
        return [(float(v) - half * s, float(v) + half * s) for v, s in zip(self.values, spreads, strict=True)]

    def predict(self, devices: int) -> tuple[float, float, float] | None:
        """Speedup on so many devices with the 95 % interval of a new measurement; None where the law has ended."""
        import numpy as np

        value = _log_speedup(self.law, np.array([float(devices)]), self.values)[0]
        if value <= LOG_NONE:
            return None
        slope = _slopes(self.law, np.array([float(devices)]), self.values)[0]
        half = _t(self.freedom) * math.sqrt(max(0.0, float(slope @ self.covariance @ slope)) + 2 * self.variance)
        return math.exp(value), math.exp(value - half), math.exp(min(value + half, 700.0))


def fit(law: Law, devices: Sequence[int], speedup: Sequence[float]) -> Fit:
    """Least squares of the logarithms, since noise acts on times as a factor.

    ``devices`` are those above 1. All speedups share the base's time and its noise, so the base is a point like the
    others and the scale of the times is fitted too: for every value of the parameters its best one is the mean of the
    differences (variable projection: G. H. Golub and V. Pereyra, SIAM J. Numer. Anal. 10, 1973). Parameters are not
    bounded: a negative serial fraction is a speedup above the number of devices, and is said as such. Raises
    ValueError for fewer points than parameters.
    """
    import numpy as np
    from scipy.optimize import least_squares

    p, logs = np.array([1, *devices], dtype=float), np.log(np.array([1, *speedup], dtype=float))
    count = len(law.parameters)
    if len(devices) < count:
        raise ValueError(f"{law.name}: {len(devices)} points for {count} parameters")

    def residuals(values: Vector) -> Vector:
        return _centered(_log_speedup(law, p, values) - logs)

    found = least_squares(
        residuals,
        np.full(count, 1e-3),
        x_scale=np.array([1.0, 1.0 / p.max()])[:count],
        ftol=1e-15,
        xtol=1e-15,
        gtol=1e-15,
        method="trf",
    )
    freedom = len(p) - count - 1
    variance = float(2 * found.cost / freedom) if freedom else math.nan
    slopes = _centered(_slopes(law, p, found.x))
    covariance = np.linalg.pinv(slopes.T @ slopes) * variance
    return Fit(law, found.x, covariance, variance, freedom)


def leave_one_out(law: Law, devices: Sequence[int], speedup: Sequence[float]) -> float:
    """Mean relative error of the speedup of each point, predicted from the others; 1 where their law has ended."""
    errors = []
    for place, (own, measured) in enumerate(zip(devices, speedup, strict=True)):
        others = [*devices[:place], *devices[place + 1 :]]
        rest = [*speedup[:place], *speedup[place + 1 :]]
        predicted = fit(law, others, rest).predict(own)
        errors.append(abs(predicted[0] / measured - 1) if predicted else 1.0)
    return sum(errors) / len(errors)


def _centered(values: Vector) -> Vector:
    """Less the mean over the points (the first axis)."""
    return values - values.mean(axis=0)


def _log_speedup(law: Law, devices: Vector, values: Vector) -> Vector:
    """A law may cross zero where the search looks; there its logarithm is far below every measurement."""
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        speedup = law.speedup(devices, values)
        return np.where(np.isfinite(speedup) & (speedup > 0), np.maximum(np.log(speedup), LOG_NONE), LOG_NONE)


def _slopes(law: Law, devices: Vector, values: Vector) -> Vector:
    """Derivatives of the logarithm of the speedup by each parameter [n, k], by central differences."""
    import numpy as np

    columns = []
    for place, value in enumerate(values):
        step = 1e-6 * max(abs(value), 1e-3 / float(devices.max()))
        up, down = np.array(values), np.array(values)
        up[place] += step
        down[place] -= step
        columns.append((_log_speedup(law, devices, up) - _log_speedup(law, devices, down)) / (2 * step))
    return np.stack(columns, axis=1)


def _t(freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.975)) if freedom else math.inf

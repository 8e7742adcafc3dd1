"""One training step on many devices, simulated: jitter decides who is slowest, buckets overlap the backward pass.

Sources: the ring all-reduce of P. Patarasuk and X. Yuan, Bandwidth optimal all-reduce algorithms for clusters of
workstations, JPDC 69 (2009); the pair of binary trees of P. Sanders, J. Speck and J. L. Traeff, Two-tree algorithms for
full bandwidth broadcast, reduction and scan, Parallel Computing 35 (2009); buckets as S. Li et al., PyTorch
Distributed, VLDB 2020. What the model leaves out stands in docs/prediction.md.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Algorithm = Literal["ring", "tree"]
ALGORITHMS: tuple[Algorithm, ...] = ("ring", "tree")
Array = NDArray[np.float64]
MIB = 2**20
FIRST_BUCKET_BYTES = MIB
BUCKET_BYTES = 25 * MIB
"""As DistributedDataParallel has them by default."""
STEPS = 64
"""Simulated per replicate."""
LARGEST = 16_384
"""No more devices are predicted."""


@dataclass(frozen=True)
class Replicates:
    """The measured inputs, drawn again as often as there are replicates: each field [R]."""

    forward_s: Array
    """Of a step of the base."""
    backward_s: Array
    rest_s: Array
    """Optimizer, data and the loop: what does not shrink when strong scaling divides the batch."""
    inflation: Array
    """Time of the same computation when all devices of a node work, over that of one alone."""
    spread: Array
    """Standard deviation of one device's step, relative."""
    hop_s: Array
    """Latency of one message."""
    byte_s: Array
    """Time of one byte on a link."""
    inner_s: Array | float = 0.0
    """Of a step in which the devices of one process sum their gradients, before the processes exchange theirs."""


@dataclass(frozen=True)
class Exchange:
    """How a strategy sums its gradients."""

    bytes: int
    devices_per_rank: int = 1
    """1, or those of a node where one process has them all."""
    bucketed: bool = True
    """Whether the exchange begins while the backward pass still runs."""
    bucket_bytes: int | None = None
    """None: as DistributedDataParallel has them by default, the first one smaller. A size given holds for all."""

    @property
    def buckets(self) -> list[int]:
        """Bytes of each message, in the order in which they are ready."""
        if not self.bucketed:
            return [self.bytes]
        size = self.bucket_bytes or BUCKET_BYTES
        first = min(self.bucket_bytes or FIRST_BUCKET_BYTES, self.bytes)
        whole, last = divmod(self.bytes - first, size)
        return [first, *[size] * whole, *([last] if last else [])]


def _ring(ranks: int, size: float, hop_s: Array, byte_s: Array) -> Array:
    """Reduce-scatter and all-gather in ``ranks - 1`` turns each, a piece of ``size / ranks`` per turn."""
    return 2 * (ranks - 1) * (hop_s + size / ranks * byte_s)


def _tree(ranks: int, size: float, hop_s: Array, byte_s: Array) -> Array:
    """Up and down two binary trees that share the work: depths of hops, and the bytes of the ring."""
    return 2 * math.ceil(math.log2(ranks)) * hop_s + 2 * (ranks - 1) / ranks * size * byte_s


ALL_REDUCE: dict[Algorithm, Callable[[int, float, Array, Array], Array]] = {"ring": _ring, "tree": _tree}


def all_reduce_s(algorithm: Algorithm, ranks: int, size: float, hop_s: Array, byte_s: Array) -> Array:
    """Seconds of one all-reduce of ``size`` bytes over ``ranks`` [R]; none for one rank."""
    return np.zeros_like(hop_s) if ranks == 1 else ALL_REDUCE[algorithm](ranks, size, hop_s, byte_s)


def largest_normal(devices: int, uniform: Array) -> Array:
    """The largest of so many standard normal numbers, exactly, from one uniform number in (0, 1) each."""
    from scipy.special import ndtri

    return np.asarray(ndtri(uniform ** (1 / devices)), dtype=np.float64)


def expected_largest(devices: int) -> float:
    """Mean of the largest of so many standard normal numbers, by the midpoint rule over 20,000 quantiles."""
    return float(largest_normal(devices, (np.arange(20_000) + 0.5) / 20_000).mean())


def simulate(
    inputs: Replicates, exchange: Exchange, algorithm: Algorithm, devices: int, share: float, uniform: Array
) -> Array:
    """Mean time of a step in each replicate, in seconds [R].

    ``share`` is the part of the base's batch that a device works on (1 but under strong scaling); ``uniform`` are
    numbers in (0, 1) [R, STEPS] that decide how late the slowest device is: the same for every number of devices, so
    curves are smooth. One device alone is the base, which no other one slows.
    """
    if devices == 1:
        return np.asarray(share * (inputs.forward_s + inputs.backward_s) + inputs.rest_s, dtype=np.float64)
    slowest = np.maximum(0.1, 1 + inputs.spread[:, None] * largest_normal(devices, uniform))
    scale = (inputs.inflation * share)[:, None] * slowest
    forward, backward = scale * inputs.forward_s[:, None], scale * inputs.backward_s[:, None]
    rest = (inputs.inflation * inputs.rest_s)[:, None] * slowest
    inner = np.broadcast_to(inputs.inner_s, inputs.hop_s.shape)[:, None]
    ranks = max(1, devices // exchange.devices_per_rank)
    ready, done = 0, np.zeros_like(forward)
    for size in exchange.buckets:
        ready += size
        part = ready / exchange.bytes if exchange.bucketed else 1.0
        time_s = all_reduce_s(algorithm, ranks, size, inputs.hop_s, inputs.byte_s)[:, None]
        done = np.maximum(done, forward + part * backward + inner) + time_s
    return np.asarray((np.maximum(done, forward + backward) + rest).mean(axis=1), dtype=np.float64)


def efficiency(
    inputs: Replicates,
    exchange: Exchange,
    algorithm: Algorithm,
    devices: int,
    share: float,
    work: float,
    uniform: Array,
) -> tuple[Array, Array]:
    """Efficiency and time of a step in each replicate [R]: the base's work per device-second over this one's.

    ``share`` of the base's batch has the device that has most, ``work`` is the mean over the devices.
    """
    step_s = simulate(inputs, exchange, algorithm, devices, share, uniform)
    base_s = simulate(inputs, exchange, algorithm, 1, 1.0, uniform)
    return base_s * work / step_s, step_s


def interval(values: Array) -> tuple[float, float, float]:
    """Median, 2.5 and 97.5 % quantile of the replicates."""
    low, middle, high = np.quantile(values, [0.025, 0.5, 0.975])
    return float(middle), float(low), float(high)


def grid(measured: int, devices_per_rank: int) -> list[int]:
    """One device, powers of two times those of a process up to 16,384, and what was measured."""
    powers = range(int(math.log2(LARGEST / devices_per_rank)) + 1)
    return sorted({1, measured, *(devices_per_rank * 2**power for power in powers)})

"""Efficiency factors after the POP methodology, from seconds per device.

Sources: POP Centre of Excellence, "POP Standard Metrics for Parallel Performance Analysis" (https://pop-coe.eu/node/69);
M. Wagner, S. Mohr, J. Giménez, J. Labarta, "A Structured Approach to Performance Analysis", Tools for High Performance
Computing 2017, Springer 2019. What is added to them, and why, stands in docs/measurement.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class DeviceTime(NamedTuple):
    """What one device did with its time, in seconds."""

    computing: float
    """POP's useful computation."""
    feeding: float = 0.0
    """Waiting for data and copies from the host."""
    waiting: float = 0.0
    """Waiting for other devices."""

    @property
    def busy(self) -> float:
        """Until its part of the work was done."""
        return self.computing + self.feeding


@dataclass(frozen=True)
class Factors:
    """Factors of parallel efficiency, fractions: ``parallel`` is ``data_feeding * load_balance * communication``."""

    data_feeding: float
    load_balance: float
    serialization: float
    transfer: float

    @property
    def communication(self) -> float:
        """What devices that wait for each other and for messages leave."""
        return self.serialization * self.transfer

    @property
    def parallel(self) -> float:
        """Mean computing time over runtime."""
        return self.data_feeding * self.load_balance * self.communication


def factors(devices: Sequence[DeviceTime], runtime_s: float) -> Factors:
    """The factors of one run of ``runtime_s`` seconds. All devices must be busy for more than no time.

    POP takes serialization from a simulation on a network without latency. Here it is what the busiest device has
    left when its exposed communication is taken away: it waits for others although it has the most to do, because the
    imbalance changes sides from step to step.
    """
    computing = sum(device.computing for device in devices)
    feeding = sum(device.feeding for device in devices)
    busiest = max(devices, key=lambda device: (device.busy, -device.waiting))
    return factors_of_sums(computing, feeding, len(devices), busiest, runtime_s)


def factors_of_sums(
    computing_s: float, feeding_s: float, devices: int, busiest: DeviceTime, runtime_s: float
) -> Factors:
    """``factors``, from sums over so many devices and the busiest of them (of equally busy ones that waits least)."""
    busy_s = computing_s + feeding_s
    return Factors(
        data_feeding=computing_s / busy_s,
        load_balance=busy_s / devices / busiest.busy,
        serialization=busiest.busy / (busiest.busy + busiest.waiting),
        transfer=(busiest.busy + busiest.waiting) / runtime_s,
    )


def computation_scalability(reference_s: float, computing_s: float, work: float = 1.0) -> float:
    """Computing time of all devices of the reference over that of all devices, which did ``work`` times as much."""
    return work * reference_s / computing_s

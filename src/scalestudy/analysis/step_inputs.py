"""What the model of one step is filled with: a strategy's own cells and its base, over a network."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scalestudy.analysis.cells import CellRuns, base_of
from scalestudy.analysis.device_columns import DeviceColumns
from scalestudy.analysis.mean_draws import draw_means
from scalestudy.analysis.modeled import MODELED, modeled_cells
from scalestudy.analysis.network import Network
from scalestudy.analysis.step_model import (
    MIB,
    STEPS,
    Algorithm,
    Array,
    Exchange,
    Replicates,
    efficiency,
    expected_largest,
    grid,
)
from scalestudy.records.result import Result
from scalestudy.spec.catalog import STRATEGIES
from scalestudy.spec.run import Cell

REPLICATES = 400
SEED = 20101005
LEAST_RUNS = 3
LEAST_COUNTS = 2
LEAST_OF_A_CELL = 2
LEAST_S = 1e-12
"""Of a phase that took no time."""


@dataclass(frozen=True)
class Step:
    """A strategy's step as its cells and their base measured it. Over a network it makes a model."""

    strategy: tuple[str, str, str]
    """Workload, scaling, strategy as tables call it."""
    cells: Sequence[CellRuns]
    base: Sequence[tuple[float, float, float]]
    """Forward, backward and all else of a step of the base, in seconds, one triple per run."""
    exchange: Exchange
    inner_s: Sequence[float] = ()
    """Seconds of a step in which the devices of a process sum their gradients, one per run of such a process alone."""

    @property
    def fitted_devices(self) -> int:
        """Of the largest cell."""
        return _largest(self.cells).cell.devices

    @property
    def counts(self) -> list[int]:
        """Numbers of devices that a curve may have."""
        return grid(self.fitted_devices, self.exchange.devices_per_rank)

    @property
    def devices_per_node(self) -> int:
        """The most that a node of these cells had: so many are taken to be in one node, more to be in several."""
        return max(cell.cell.devices_per_node for cell in self.cells)

    @property
    def most_devices(self) -> int | None:
        """More have no image of the batch (strong scaling) or no batch of the data (epoch scaling). None: no limit."""
        return {"strong": self.batch, "epoch": self.images // self.batch}.get(self.strategy[1])

    @property
    def is_strong(self) -> bool:
        """Whether the devices share the base's batch."""
        return self.strategy[1] == "strong"

    @property
    def batch(self) -> int:
        """Images per step of the base."""
        return _largest(self.cells).runs[0].run.workload.batch_size

    @property
    def images(self) -> int:
        """Of an epoch, of all devices of the largest cell."""
        return _largest(self.cells).images

    def excess(self, devices: int) -> float:
        """What the largest share of a batch has more than the mean share, relative to that."""
        return math.ceil(self.batch / devices) * devices / self.batch - 1 if self.is_strong else 0.0

    def works_as(self, cell: Cell) -> bool:
        """Whether a process of the cell has as many devices as one of this step."""
        return self.exchange.devices_per_rank == _devices_per_rank(cell)

    def refusal(self, devices: int) -> str:
        """Why so many devices cannot be predicted, or nothing."""
        most = self.most_devices
        if most is not None and devices > most:
            if self.is_strong:
                return f"strong scaling divides a batch of {most} images: at most {most} devices"
            return (
                f"epoch scaling gives every device a batch of {self.batch} images, of {self.images} in all: at most "
                f"{most} devices"
            )
        if devices > 1 and devices % self.exchange.devices_per_rank:
            per_node = self.exchange.devices_per_rank
            return f"one process has all {per_node} devices of a node: needs a multiple of {per_node} devices"
        return ""

    def over(self, network: Network) -> "Model":
        """The model, its inputs drawn REPLICATES times: times of runs as their means may lie, the network from its fit.

        Times are drawn as logarithms, since noise acts on them as a factor.
        """
        cells = self.cells
        random = np.random.default_rng([SEED, len(cells), len(self.base)])
        steps = np.log(np.maximum(self.base, LEAST_S))
        mean = np.exp(draw_means([steps], random, REPLICATES)[:, 0])
        # What devices of a node cost each other is that of a node with as many as there will be.
        full = _weights(cells, [cell.cell.devices_per_node == self.devices_per_node for cell in cells])
        # Where one has more images than another, jitter shows less: the others wait for that one anyway.
        even = _weights(cells, [not self.is_strong or self.batch % cell.cell.devices == 0 for cell in cells])
        busy = draw_means(
            [np.log([[max(LEAST_S, _busy_s(one))] for one in cell.results]) for cell in cells], random, REPLICATES
        )
        shares = np.array([1 / cell.cell.devices if self.is_strong else 1.0 for cell in cells])
        expected = np.outer(mean[:, 0] + mean[:, 1], shares) + mean[:, 2:]
        spreads = [
            np.array([[_spread(cell, one, self.excess(cell.cell.devices))] for one in cell.results]) for cell in cells
        ]
        spread = draw_means(spreads, random, REPLICATES)[..., 0] @ even
        hop_s, byte_s = (
            np.maximum(0.0, random.normal(mean, sd, REPLICATES))
            for mean, sd in ((network.hop_s, network.hop_sd), (network.byte_s, network.byte_sd))
        )
        uniform = random.uniform(size=(REPLICATES, STEPS))
        inner = [np.log([[max(LEAST_S, time_s)] for time_s in self.inner_s])] if self.inner_s else []
        return Model(
            step=self,
            network=network,
            inputs=Replicates(
                forward_s=mean[:, 0],
                backward_s=mean[:, 1],
                rest_s=mean[:, 2],
                inflation=np.exp(busy[..., 0]) / expected @ full,
                spread=np.maximum(0.0, spread),
                hop_s=hop_s,
                byte_s=byte_s,
                inner_s=np.exp(draw_means(inner, random, REPLICATES)[:, 0, 0]) if inner else np.zeros(REPLICATES),
            ),
            uniform=uniform,
        )


@dataclass(frozen=True)
class Model:
    """A step on a network, ready to be simulated on more devices."""

    step: Step
    network: Network
    inputs: Replicates
    uniform: Array

    def predict(self, algorithm: Algorithm, devices: int) -> tuple[Array, Array]:
        """Efficiency and time of a step on so many devices, in each replicate [R]."""
        strong, batch = self.step.is_strong, self.step.batch
        share = math.ceil(batch / devices) / batch if strong else 1.0  # of the device with most images
        work = 1 / devices if strong else 1.0
        return efficiency(self.inputs, self.step.exchange, algorithm, devices, share, work, self.uniform)


def measured_step(own: Sequence[CellRuns], cells: Sequence[CellRuns], least_counts: int = LEAST_COUNTS) -> Step | str:
    """The step of a strategy from its own cells and the base among all cells, or why the model is not of it."""
    usable = modeled_cells(own, least_counts)
    if isinstance(usable, str):
        return usable
    if all(len(cell.results) < LEAST_OF_A_CELL for cell in usable):
        return f"needs {LEAST_OF_A_CELL} runs of at least one of its cells: one of each does not tell how they vary"
    largest = _largest(usable)
    if (sized := largest.sized) is None:
        return f"needs the size of the gradients, which no run on {largest.cell.devices} devices recorded"
    base = base_of(largest.cell, cells)
    steps = [_base_step(result) for result in base.results] if base and base.is_comparable else []
    known = [step for step in steps if step is not None]
    if len(known) < LEAST_RUNS:
        return f"needs {LEAST_RUNS} runs of the serial base with measured phases, found {len(known)}"
    exchange = _exchange(largest, sized)
    # A process alone exchanges nothing: all its communication is the sum of its own devices.
    alone = [cell for cell in usable if cell.cell.nodes == 1 and cell.cell.devices == exchange.devices_per_rank > 1]
    if exchange.devices_per_rank > 1 and not alone:
        layout = f"1x{exchange.devices_per_rank}"
        return (
            "what the devices of a process sum is recorded with what the processes exchange: needs a cell on "
            f"{layout}, where there is nothing else"
        )
    inner_s = [_talking_s(result) for cell in alone for result in cell.results]
    return Step(largest.key[:3], usable, known, exchange, inner_s)


def _largest(cells: Sequence[CellRuns]) -> CellRuns:
    return max(cells, key=lambda cell: cell.cell.devices)


def _weights(cells: Sequence[CellRuns], wanted: Sequence[bool]) -> Array:
    """By the runs of each cell that is wanted; of all, where none is."""
    runs = [len(cell.results) * (want or not any(wanted)) for cell, want in zip(cells, wanted, strict=True)]
    return np.array(runs, dtype=np.float64) / sum(runs)


def _exchange(cell: CellRuns, sized: Result) -> Exchange:
    """How the devices of a cell exchange gradients, their size as a record of it has it."""
    return Exchange(
        bytes=sized.gradient_bytes,
        devices_per_rank=_devices_per_rank(cell.cell),
        bucketed=MODELED[cell.cell.strategy],
        bucket_bytes=_bucket_bytes(cell, sized),
    )


def _devices_per_rank(cell: Cell) -> int:
    return 1 if STRATEGIES[cell.strategy].processes == "per_device" else cell.devices_per_node


def _bucket_bytes(cell: CellRuns, sized: Result) -> int | None:
    """What the study sets; None: as torch chooses. A bucket holds one tensor at least, two of which a layer has."""
    asked = cell.usable[0].run.strategy_options.get("bucket_mb")
    if not isinstance(asked, int | float):
        return None
    tensors = 2 * max(1, sum(layer.parameters > 0 for layer in sized.layers))
    return max(1, int(asked * MIB), sized.gradient_bytes // tensors)


def _base_step(result: Result) -> tuple[float, float, float] | None:
    """Forward, backward and all else of a step of the base, in seconds; None where they were not measured."""
    phases = DeviceColumns.of(result.phases)
    if not len(phases) or phases.totals["forward"] is None or not phases.column("steps").all():
        return None
    steps = float(phases.column("steps")[0])
    forward, backward = (float(phases.measured(name).sum()) / steps for name in ("forward", "backward"))
    return forward, backward, float(phases.column("time_s")[0]) / steps - forward - backward


def _busy_s(result: Result) -> float:
    """Time of a step that is a device's own, mean over the devices: neither communication nor waiting."""
    phases = DeviceColumns.of(result.phases)
    own = phases.column("time_s") - phases.measured("communication", "waiting")
    return float((own / phases.column("steps")).mean())


def _talking_s(result: Result) -> float:
    """Communication of a step, mean over the devices."""
    phases = DeviceColumns.of(result.phases)
    return float((phases.measured("communication") / phases.column("steps")).mean())


def _spread(cell: CellRuns, result: Result, excess: float) -> float:
    """Standard deviation of a device's step that makes devices wait as long as they did, relative to its own time.

    The slowest of p normal numbers lies ``expected_largest(p)`` standard deviations above their mean. That the largest
    share of a batch takes longer (``excess``, relative) is no jitter.
    """
    phases = DeviceColumns.of(result.phases)
    jitter_s = phases.measured("waiting") - excess * phases.measured("forward", "backward").mean()
    waiting = float((jitter_s / phases.column("steps")).mean())
    return waiting / _busy_s(result) / expected_largest(cell.cell.devices)

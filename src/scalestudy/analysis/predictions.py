"""prediction.csv: the model of one step filled with what was measured, and checked on cells that it did not see."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from scalestudy.analysis.cells import CellKey, CellRuns, base_of, key_of
from scalestudy.analysis.device_columns import DeviceColumns
from scalestudy.analysis.mean_draws import draw_means
from scalestudy.analysis.modeled import MODELED, modeled_cells
from scalestudy.analysis.step_model import (
    ALGORITHMS,
    MIB,
    STEPS,
    Algorithm,
    Array,
    Exchange,
    Replicates,
    efficiency,
    expected_largest,
    grid,
    interval,
)
from scalestudy.records.findings import PredictionCurve, Refusal, ValidationRow
from scalestudy.records.report import LinkRow, SpeedupRow
from scalestudy.records.result import Result
from scalestudy.spec.catalog import STRATEGIES

REPLICATES = 400
SEED = 20101005
LEAST_RUNS = 3
LEAST_COUNTS = 2
LEAST_S = 1e-12
"""Of a phase that took no time."""
GAP = 1.96
NO_LINK_BETWEEN_NODES = "no link between nodes was probed on {devices} devices or fewer"
NO_LINK = "no link was probed on {devices} devices or fewer"
UNCHECKED = "no cell was measured on twice the devices of cells that can fill the model, so that nothing checks it"


@dataclass(frozen=True)
class Network:
    """Latency of a message and time of a byte on one link, with their standard deviations, and where they come from."""

    hop_s: float
    hop_sd: float
    byte_s: float
    byte_sd: float
    source: str

    def with_link(self, gbps: float | None, latency_us: float | None) -> "Network":
        """The same with a given bandwidth in Gbit/s or latency in microseconds."""
        network = self
        if gbps is not None:
            network = replace(network, byte_s=8 / (gbps * 1e9), byte_sd=0.0, source=f"{gbps:g} Gbit/s as given")
        if latency_us is not None:
            given = f"{latency_us:g} us as given"
            network = replace(network, hop_s=latency_us * 1e-6, hop_sd=0.0, source=f"{given}; {network.source}")
        elif gbps is not None:
            network = replace(network, source=f"{network.source}, latency {self.hop_s * 1e6:.3g} us: {self.source}")
        return network


@dataclass(frozen=True)
class Model:
    """A strategy's step as measured on cells of up to some number of devices."""

    strategy: tuple[str, str, str]
    """Workload, scaling, strategy as tables call it."""
    inputs: Replicates
    exchange: Exchange
    network: Network
    fitted_devices: int
    uniform: Array
    most_devices: int | None = None
    """Under strong scaling the global batch: more devices would have no image of it. None: there is no such limit."""

    def refusal(self, devices: int) -> str:
        """Why so many devices cannot be predicted, or nothing."""
        if self.most_devices is not None and devices > self.most_devices:
            return f"strong scaling divides a batch of {self.most_devices} images: at most {self.most_devices} devices"
        if devices > 1 and devices % self.exchange.devices_per_rank:
            per_node = self.exchange.devices_per_rank
            return f"one process has all {per_node} devices of a node: needs a multiple of {per_node} devices"
        return ""

    def predict(self, algorithm: Algorithm, devices: int) -> tuple[Array, Array]:
        """Efficiency and time of a step on so many devices, in each replicate [R]."""
        return efficiency(self.inputs, self.exchange, algorithm, devices, self._share, self.uniform)

    def _share(self, devices: int) -> float:
        return _share_of(self.strategy[1], devices)


def _share_of(scaling: str, devices: int) -> float:
    """The part of the base's batch that each device works on."""
    return 1 / devices if scaling == "strong" else 1.0


def models(
    cells: Sequence[CellRuns], links: Sequence[LinkRow], gbps: float | None = None, latency_us: float | None = None
) -> tuple[list[Model], list[Refusal]]:
    """A model of every strategy that can have one, and for the others why not."""
    found, refused = [], []
    for strategy, own in _strategies(cells).items():
        made = build(strategy, own, cells, links, gbps, latency_us)
        if isinstance(made, str):
            refused.append(refusal(strategy, made))
        else:
            found.append(made)
    return found, refused


def prediction_curves(
    found: Sequence[Model], validation: Sequence[ValidationRow]
) -> tuple[list[PredictionCurve], list[Refusal]]:
    """Efficiency up to 16,384 devices, one curve per model and algorithm that predicted a cell it had not seen.

    The others are refused.
    """
    checked = {(row.workload, row.scaling, row.strategy, row.model) for row in validation if not row.reason}
    curves, refused = [], []
    for model in found:
        algorithms = [algorithm for algorithm in ALGORITHMS if (*model.strategy, model_name(algorithm)) in checked]
        curves += [_curve(model, algorithm) for algorithm in algorithms]
        if not algorithms:
            refused.append(refusal(model.strategy, UNCHECKED))
    return curves, refused


def model_name(algorithm: Algorithm) -> str:
    """What validation.csv calls the model of one step with this all-reduce."""
    return "step model (ring)" if algorithm == "ring" else "step model (tree)"


def refusal(strategy: tuple[str, str, str], reason: str) -> Refusal:
    """Why a strategy is not predicted."""
    workload, scaling, name = strategy
    return Refusal(workload=workload, scaling=scaling, strategy=name, reason=reason)


def step_validation_rows(
    cells: Sequence[CellRuns], links: Sequence[LinkRow], speedup: Sequence[SpeedupRow]
) -> list[ValidationRow]:
    """Every measured cell of 2 K devices as predicted by the model of the cells and links of up to K.

    A link has all devices of the layout that it was probed on, also where fewer ranks used it: one rank of each node of
    the held-out layout would tell of its network. A cell of several nodes whose network was not probed on up to K is
    not predicted, with the reason.
    """
    measured = {key_of(row): row.efficiency for row in speedup}
    return [
        row
        for strategy, own in _strategies(cells).items()
        for row in _validation(strategy, own, cells, links, measured)
    ]


def build(
    strategy: tuple[str, str, str],
    own: Sequence[CellRuns],
    cells: Sequence[CellRuns],
    links: Sequence[LinkRow],
    gbps: float | None = None,
    latency_us: float | None = None,
    least_counts: int = LEAST_COUNTS,
) -> Model | str:
    """The model of a strategy from its own cells, or why there is none."""
    usable = modeled_cells(own, least_counts)
    if isinstance(usable, str):
        return usable
    largest = max(usable, key=lambda cell: cell.cell.devices)
    if (sized := largest.sized) is None:
        return f"needs the size of the gradients, which no run on {largest.cell.devices} devices recorded"
    base = base_of(usable[0].cell, cells)
    steps = [_base_step(result) for result in base.results] if base and base.is_comparable else []
    known = [step for step in steps if step is not None]
    if len(known) < LEAST_RUNS:
        return f"needs {LEAST_RUNS} runs of the serial base with measured phases, found {len(known)}"
    network = _network(links, max(cell.cell.devices for cell in usable), gbps, latency_us)
    if network is None:
        return "needs the probe's all-reduce times on 2 devices or more, or a latency and a bandwidth"
    return _model(strategy, usable, known, network, _exchange(largest, sized))


def _strategies(cells: Sequence[CellRuns]) -> dict[tuple[str, str, str], list[CellRuns]]:
    """The parallel cells of each workload, scaling and strategy, in the order of the plan."""
    found: dict[tuple[str, str, str], list[CellRuns]] = {}
    for cell in cells:
        if cell.cell.devices > 1:
            found.setdefault(cell.key[:3], []).append(cell)
    return found


def _model(
    strategy: tuple[str, str, str],
    usable: Sequence[CellRuns],
    base: Sequence[tuple[float, float, float]],
    net: Network,
    exchange: Exchange,
) -> Model:
    """Draw every measured input REPLICATES times: times of runs as their means may lie, the network from its interval.

    Times are drawn as logarithms, since noise acts on them as a factor.
    """
    random = np.random.default_rng([SEED, len(usable), len(base)])
    steps = np.log(np.maximum(base, LEAST_S))
    mean = np.exp(draw_means([steps], random, REPLICATES)[:, 0])
    weights = np.array([len(cell.results) for cell in usable], dtype=np.float64) / sum(len(c.results) for c in usable)
    busy = draw_means(
        [np.log([[max(LEAST_S, _busy_s(one))] for one in cell.results]) for cell in usable], random, REPLICATES
    )
    shares = np.array([_share_of(strategy[1], cell.cell.devices) for cell in usable])
    expected = np.outer(mean[:, 0] + mean[:, 1], shares) + mean[:, 2:]
    spreads = [np.array([[_spread(cell, one)] for one in cell.results]) for cell in usable]
    spread = draw_means(spreads, random, REPLICATES)[..., 0] @ weights
    largest = max(usable, key=lambda cell: cell.cell.devices)
    return Model(
        strategy=strategy,
        inputs=Replicates(
            forward_s=mean[:, 0],
            backward_s=mean[:, 1],
            rest_s=mean[:, 2],
            inflation=np.exp(busy[..., 0]) / expected @ weights,
            spread=np.maximum(0.0, spread),
            hop_s=np.maximum(0.0, random.normal(net.hop_s, net.hop_sd, REPLICATES)),
            byte_s=np.maximum(0.0, random.normal(net.byte_s, net.byte_sd, REPLICATES)),
        ),
        exchange=exchange,
        network=net,
        fitted_devices=largest.cell.devices,
        uniform=random.uniform(size=(REPLICATES, STEPS)),
        most_devices=largest.runs[0].run.global_batch if strategy[1] == "strong" else None,
    )


def _exchange(cell: CellRuns, sized: Result) -> Exchange:
    """How the devices of a cell exchange gradients, their size as a record of it has it."""
    per_device = STRATEGIES[cell.cell.strategy].processes == "per_device"
    return Exchange(
        bytes=sized.gradient_bytes,
        devices_per_rank=1 if per_device else cell.cell.devices_per_node,
        bucketed=MODELED[cell.cell.strategy],
        bucket_bytes=_bucket_bytes(cell, sized),
    )


def _bucket_bytes(cell: CellRuns, sized: Result) -> int | None:
    """What the study sets; None: as torch chooses. A bucket holds one tensor at least, two of which a layer has."""
    asked = cell.usable[0].run.strategy_options.get("bucket_mb")
    if not isinstance(asked, int | float):
        return None
    tensors = 2 * max(1, sum(layer.parameters > 0 for layer in sized.layers))
    return max(1, int(asked * MIB), sized.gradient_bytes // tensors)


def _curve(model: Model, algorithm: Algorithm) -> PredictionCurve:
    devices = [count for count in grid([model.fitted_devices]) if not model.refusal(count)]
    values = [model.predict(algorithm, count) for count in devices]
    intervals = [interval(one) for one, _ in values]
    workload, scaling, strategy = model.strategy
    return PredictionCurve(
        workload=workload,
        scaling=scaling,
        strategy=strategy,
        algorithm=algorithm,
        devices=devices,
        efficiency=[middle for middle, _, _ in intervals],
        low=[low for _, low, _ in intervals],
        high=[high for _, _, high in intervals],
        step_s=[interval(step_s)[0] for _, step_s in values],
        network=model.network.source,
    )


def _validation(
    strategy: tuple[str, str, str],
    own: Sequence[CellRuns],
    cells: Sequence[CellRuns],
    links: Sequence[LinkRow],
    measured: dict[CellKey, float | None],
) -> Iterator[ValidationRow]:
    workload, scaling, name = strategy
    for held in own:
        known = measured.get(held.key)
        seen = [cell for cell in own if 2 * cell.cell.devices <= held.cell.devices]
        largest = max((cell.cell.devices for cell in seen), default=0)
        if known is None or 2 * largest != held.cell.devices:
            continue
        # With any network, to tell a cell that lacks but a link from one that the model is not of:
        model = build(strategy, seen, cells, links, gbps=1, latency_us=1, least_counts=1)
        probed = [link for link in links if link.ranks > 1]
        if isinstance(model, str) or model.refusal(held.cell.devices) or not probed:
            continue
        small = [link for link in probed if link.devices <= largest]
        reason = _unknown_network(held, small, largest)
        if not reason:
            model = build(strategy, seen, cells, small, least_counts=1)
            if isinstance(model, str):
                continue
        for algorithm in ALGORITHMS:
            middle, low, high = (None,) * 3 if reason else interval(model.predict(algorithm, held.cell.devices)[0])
            yield ValidationRow(
                workload=workload,
                scaling=scaling,
                strategy=name,
                model=model_name(algorithm),
                fitted_devices=largest,
                devices=held.cell.devices,
                predicted=middle,
                low=low,
                high=high,
                measured=known,
                error=None if middle is None else middle / known - 1,
                reason=reason,
            )


def _unknown_network(held: CellRuns, links: Sequence[LinkRow], largest: int) -> str:
    """Why these links, of up to so many devices, tell nothing of the network of a cell, or nothing."""
    if held.cell.nodes > 1 and not any(link.nodes > 1 for link in links):
        return NO_LINK_BETWEEN_NODES.format(devices=largest)
    return "" if links else NO_LINK.format(devices=largest)


def _network(links: Sequence[LinkRow], largest: int, gbps: float | None, latency_us: float | None) -> Network | None:
    """From the all-reduce over the most ranks that the cells have: between nodes where there are several.

    The fitted ``alpha + beta bytes`` of a ring of n ranks is ``2 (n - 1)`` messages of ``1 / n`` of the bytes each.
    """
    usable = [link for link in links if 2 <= link.ranks <= largest]
    if not usable:
        if gbps is None or latency_us is None:
            return None
        return Network(0.0, 0.0, 0.0, 0.0, "").with_link(gbps, latency_us)
    link = max(usable, key=lambda one: (one.nodes > 1, one.group == "nodes", one.ranks))
    hops, share = 2 * (link.ranks - 1), 2 * (link.ranks - 1) / link.ranks
    network = Network(
        hop_s=link.alpha_s / hops,
        hop_sd=_sd(link.alpha_low_s, link.alpha_high_s) / hops,
        byte_s=link.beta_s_per_byte / share,
        byte_sd=_sd(link.beta_low_s_per_byte, link.beta_high_s_per_byte) / share,
        source="",
    )
    rate = f"{8e-9 / network.byte_s:.3g} Gbit/s" if network.byte_s else "no time per byte"
    layout = f"{link.nodes}x{link.devices // max(1, link.nodes)}"
    source = f"probe of {link.ranks} ranks on {layout}: {network.hop_s * 1e6:.3g} us, {rate}"
    return replace(network, source=source).with_link(gbps, latency_us)


def _sd(low: float | None, high: float | None) -> float:
    return 0.0 if low is None or high is None else (high - low) / (2 * GAP)


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


def _spread(cell: CellRuns, result: Result) -> float:
    """Standard deviation of a device's step that makes devices wait as long as they did, relative to its own time.

    The slowest of p normal numbers lies ``expected_largest(p)`` standard deviations above their mean.
    """
    phases = DeviceColumns.of(result.phases)
    waiting = float((phases.measured("waiting") / phases.column("steps")).mean())
    return waiting / _busy_s(result) / expected_largest(cell.cell.devices)

"""prediction.csv: what the model of one step says of more devices, and how it did on cells that it did not see."""

from collections.abc import Iterator, Sequence

from scalestudy.analysis.cells import CellKey, CellRuns, key_of
from scalestudy.analysis.network import network_of
from scalestudy.analysis.step_inputs import Step, measured_step
from scalestudy.analysis.step_model import ALGORITHMS, Algorithm, interval
from scalestudy.analysis.strategy_model import StrategyModel
from scalestudy.records.findings import PredictionCurve, Refusal, ValidationRow
from scalestudy.records.report import LinkRow, SpeedupRow

NO_NETWORK = "needs the probe's all-reduce times on 2 devices or more, or a latency and a bandwidth"
NO_LINK_BETWEEN_NODES = "no link between nodes was probed on {devices} devices or fewer"
NO_LINK_WITHIN_A_NODE = "no link within a node was probed on {devices} devices or fewer"
OTHER_PROCESSES = "a process has other devices there than in the smaller cells"
UNCHECKED = "no cell was measured on twice the devices of cells that can fill the model, so that nothing checks it"


def models(
    cells: Sequence[CellRuns], links: Sequence[LinkRow], gbps: float | None = None, latency_us: float | None = None
) -> tuple[list[StrategyModel], list[Refusal]]:
    """A model of every strategy that can have one, and for the others why not."""
    found, refused = [], []
    for strategy, own in _strategies(cells).items():
        step = measured_step(own, cells)
        if isinstance(step, str):
            refused.append(refusal(strategy, step))
            continue
        within, between = (
            step.over(network) if network else None
            for network in (
                network_of(links, step.fitted_devices, between_nodes=several, gbps=gbps, latency_us=latency_us)
                for several in (False, True)
            )
        )
        if within or between:
            found.append(StrategyModel(step, within, between))
        else:
            refused.append(refusal(strategy, NO_NETWORK))
    return found, refused


def prediction_curves(
    found: Sequence[StrategyModel], validation: Sequence[ValidationRow]
) -> tuple[list[PredictionCurve], list[Refusal]]:
    """Efficiency up to 16,384 devices, one curve per model and algorithm that predicted a cell it had not seen.

    The others are refused, and so are models that know no network beyond the measured devices.
    """
    checked = {(row.workload, row.scaling, row.strategy, row.model) for row in validation if not row.reason}
    curves, refused = [], []
    for model in found:
        beyond = model.refusal(_furthest(model))
        if beyond:
            refused.append(refusal(model.step.strategy, beyond))
            continue
        algorithms = [algorithm for algorithm in ALGORITHMS if (*model.step.strategy, model_name(algorithm)) in checked]
        curves += [_curve(model, algorithm) for algorithm in algorithms]
        if not algorithms:
            refused.append(refusal(model.step.strategy, UNCHECKED))
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
    the held-out layout would tell of its network. A cell of one node is predicted over links within a node, one of
    several over links between nodes; where these were not probed on up to K it is not predicted, with the reason.
    """
    measured = {key_of(row): row.efficiency for row in speedup}
    probed = [link for link in links if link.ranks > 1]
    if not probed:
        return []
    return [row for own in _strategies(cells).values() for row in _validation(own, cells, probed, measured)]


def _strategies(cells: Sequence[CellRuns]) -> dict[tuple[str, str, str], list[CellRuns]]:
    """The parallel cells of each workload, scaling and strategy, in the order of the plan."""
    found: dict[tuple[str, str, str], list[CellRuns]] = {}
    for cell in cells:
        if cell.cell.devices > 1:
            found.setdefault(cell.key[:3], []).append(cell)
    return found


def _furthest(model: StrategyModel) -> int:
    """The most devices that its step can be predicted for."""
    return max(count for count in model.step.counts if not model.step.refusal(count))


def _curve(model: StrategyModel, algorithm: Algorithm) -> PredictionCurve:
    devices = [count for count in model.step.counts if not model.refusal(count)]
    values = [model.predict(algorithm, count) for count in devices]
    intervals = [interval(one) for one, _ in values]
    workload, scaling, strategy = model.step.strategy
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
        network=model.sources(devices),
    )


def _validation(
    own: Sequence[CellRuns], cells: Sequence[CellRuns], links: Sequence[LinkRow], measured: dict[CellKey, float | None]
) -> Iterator[ValidationRow]:
    """Those of a strategy's own cells that have twice the devices of cells which the model is of."""
    for held in own:
        known, devices = measured.get(held.key), held.cell.devices
        seen = [cell for cell in own if 2 * cell.cell.devices <= devices]
        if known is None or not seen or isinstance(step := measured_step(seen, cells, least_counts=1), str):
            continue
        if 2 * step.fitted_devices == devices and not step.refusal(devices):
            yield from _checked(step, held, known, [link for link in links if link.devices <= step.fitted_devices])


def _checked(step: Step, held: CellRuns, measured: float, links: Sequence[LinkRow]) -> Iterator[ValidationRow]:
    """A held-out cell as predicted over these links, or that they tell nothing of its network."""
    workload, scaling, strategy = step.strategy
    several = held.cell.nodes > 1
    reason = "" if step.works_as(held.cell) else OTHER_PROCESSES
    network = None if reason else network_of(links, step.fitted_devices, between_nodes=several)
    model = step.over(network) if network else None
    unknown = NO_LINK_BETWEEN_NODES if several else NO_LINK_WITHIN_A_NODE
    for algorithm in ALGORITHMS:
        middle, low, high = interval(model.predict(algorithm, held.cell.devices)[0]) if model else (None,) * 3
        yield ValidationRow(
            workload=workload,
            scaling=scaling,
            strategy=strategy,
            model=model_name(algorithm),
            fitted_devices=step.fitted_devices,
            nodes=held.cell.nodes,
            devices=held.cell.devices,
            predicted=middle,
            low=low,
            high=high,
            measured=measured,
            error=None if middle is None else middle / measured - 1,
            reason=reason or ("" if model else unknown.format(devices=step.fitted_devices)),
        )

"""A question to a finished study: how would its strategies do on more devices, over another network?"""

from dataclasses import dataclass
from pathlib import Path

from scalestudy.analysis.cells import cells_of
from scalestudy.analysis.collect import collect
from scalestudy.analysis.predictions import model_name, models, refusal, step_validation_rows
from scalestudy.analysis.probes import probe_facts
from scalestudy.analysis.speedup import speedup_rows
from scalestudy.analysis.step_model import ALGORITHMS, LARGEST, Algorithm, interval
from scalestudy.errors import StudyError
from scalestudy.records.findings import Refusal


@dataclass(frozen=True)
class Answer:
    """One strategy with one all-reduce algorithm on the asked number of devices."""

    workload: str
    scaling: str
    strategy: str
    algorithm: Algorithm
    devices: int
    step_s: float
    efficiency: float
    low: float
    high: float
    fitted_devices: int
    """The largest cell that the model saw."""
    network: str
    worst_error: float | None
    """Largest error of the model on a cell of twice the devices it saw; None where there was none to check."""


def ask(
    results: Path, devices: int, gbps: float | None = None, latency_us: float | None = None
) -> tuple[list[Answer], list[Refusal]]:
    """Predict for ``results/STUDY``. Raises StudyError where no strategy can be predicted, with the reasons.

    So it does for more devices than any curve shows: nothing measured is near enough to them.
    """
    if devices > LARGEST:
        raise StudyError(f"nothing is predicted for more than {LARGEST:,} devices, and {devices:,} were asked for")
    collection = collect(results)
    cells, links = cells_of(collection), probe_facts(collection.probes).links
    built, refused = models(cells, links, gbps, latency_us)
    found = [model for model in built if not model.refusal(devices)]
    refused += [refusal(model.step.strategy, reason) for model in built if (reason := model.refusal(devices))]
    if not found:
        reasons: dict[str, dict[str, None]] = {}
        for one in refused:
            reasons.setdefault(one.reason, {})[one.strategy] = None
        listed = "; ".join(f"{', '.join(strategies)}: {reason}" for reason, strategies in reasons.items())
        raise StudyError(f"{results}: nothing can be predicted: {listed or 'no parallel cell is planned'}")
    checked = step_validation_rows(cells, links, speedup_rows(cells))
    answers = []
    for model in found:
        for algorithm in ALGORITHMS:
            values, steps_s = model.predict(algorithm, devices)
            middle, low, high = interval(values)
            key = (*model.step.strategy, model_name(algorithm))
            errors = [
                abs(row.error)
                for row in checked
                if row.error is not None and (row.workload, row.scaling, row.strategy, row.model) == key
            ]
            answers.append(
                Answer(
                    *model.step.strategy,
                    algorithm=algorithm,
                    devices=devices,
                    step_s=interval(steps_s)[0],
                    efficiency=middle,
                    low=low,
                    high=high,
                    fitted_devices=model.step.fitted_devices,
                    network=model.source(devices),
                    worst_error=max(errors, default=None),
                )
            )
    return answers, refused

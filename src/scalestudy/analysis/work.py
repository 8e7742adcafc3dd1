"""What each cell of a study does, setting by setting: times of two studies compare only where that is the same."""

from collections.abc import Iterator, Sequence

from pydantic import ValidationError

from scalestudy.analysis.cells import CellRuns
from scalestudy.records.report import WorkRow
from scalestudy.spec.options import settings_of, show_option
from scalestudy.spec.run import Run

NO_WORK = frozenset({"title", "epochs", "untimed_epochs"})
"""Settings of a workload that change what it is called or how many epochs there are, and not what one is."""


def work_rows(cells: Sequence[CellRuns]) -> list[WorkRow]:
    """One row per cell, in the order of the plan; the runs of a cell differ in their seeds alone."""
    return [WorkRow(**cell.key._asdict(), settings=dict(_settings(cell.runs[0].run))) for cell in cells]


def _settings(run: Run) -> Iterator[tuple[str, str]]:
    no_work = NO_WORK if run.cell.scaling == "weak" else NO_WORK | {"weak_samples"}
    workload = {name: value for name, value in run.workload.model_dump(mode="json").items() if name not in no_work}
    yield from _flat("workload", workload)
    yield "strategy", run.cell.strategy
    try:
        options = settings_of(run.cell.strategy, run.strategy_options)
    except ValidationError:  # of a plan by another version
        options = run.strategy_options
    yield from _flat("options", options)
    yield from (("device", run.device), ("cores_per_device", str(run.cores_per_device)))


def _flat(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    else:
        yield name, show_option(value)

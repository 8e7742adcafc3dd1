"""The CSV tables: one header line, units in the column names, the same bytes for the same rows."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

from pydantic import BaseModel

from scalestudy.records.files import write_text
from scalestudy.records.findings import (
    BatchRow,
    ComparisonRow,
    ComplianceRow,
    EquivalenceRow,
    Exclusion,
    FitRow,
    MitigationRow,
    PredictionCurve,
    RepeatRow,
    TargetRow,
    ValidationRow,
)
from scalestudy.records.parity import ParityRow
from scalestudy.records.paths import StudyPaths
from scalestudy.records.report import (
    AccuracyRow,
    AllReduceRow,
    CeilingRow,
    CommunicationRow,
    CurveRow,
    EfficiencyRow,
    LinkRow,
    PhaseRow,
    ReportData,
    RunRow,
    SpeedupRow,
    WorkloadFacts,
)

TABLES: dict[str, tuple[type[BaseModel], Callable[[ReportData], Sequence[BaseModel]]]] = {
    "efficiency": (EfficiencyRow, lambda data: data.efficiencies),
    "phases": (PhaseRow, lambda data: data.phases),
    "communication": (CommunicationRow, lambda data: data.communication),
    "probe": (CeilingRow, lambda data: data.probe.ceilings),
    "allreduce": (AllReduceRow, lambda data: data.probe.all_reduce),
    "links": (LinkRow, lambda data: data.probe.links),
    "accuracy": (AccuracyRow, lambda data: data.accuracy),
    "parity": (ParityRow, lambda data: data.parity),
    "comparison": (ComparisonRow, lambda data: data.comparisons),
    "mitigations": (MitigationRow, lambda data: data.mitigations),
    "equivalence": (EquivalenceRow, lambda data: data.equivalence),
    "target": (TargetRow, lambda data: data.targets),
    "epochs_to_target": (BatchRow, lambda data: data.epochs_to_target),
    "compliance": (ComplianceRow, lambda data: data.compliance),
    "fits": (FitRow, lambda data: data.fits),
    "validation": (ValidationRow, lambda data: data.validation),
    "exclusions": (Exclusion, lambda data: data.exclusions),
    "repeats": (RepeatRow, lambda data: data.repeats),
}
"""Each table whose lines are rows of report.json: its name, the model that names its columns, its rows."""


def write_tables(paths: StudyPaths, data: ReportData, runs: str, workloads: Sequence[WorkloadFacts]) -> None:
    """Write every table below ``tables/``, ``runs`` as runs.csv. Raises StudyError when the disk refuses.

    ``workloads`` name the data in English, as tables do whatever the language of the report in ``data``.
    """
    write_text(paths.tables / "runs.csv", runs)
    for name, (kind, rows) in TABLES.items():
        write_text(paths.tables / f"{name}.csv", _models_csv(kind, rows(data)))
    write_text(paths.tables / "speedup.csv", _with_data(SpeedupRow, data.speedup, workloads))
    write_text(paths.tables / "curves.csv", _curves_csv(data.curves))
    write_text(paths.tables / "prediction.csv", _prediction_csv(data.predictions))


def runs_csv(rows: Sequence[RunRow], workloads: Sequence[WorkloadFacts]) -> str:
    """runs.csv, whose digest the report prints; ``workloads`` as above, or the digest would be the language's."""
    return _with_data(RunRow, rows, workloads)


def _with_data(
    kind: type[BaseModel], rows: Sequence[RunRow] | Sequence[SpeedupRow], workloads: Sequence[WorkloadFacts]
) -> str:
    """The rows with a last column that says what data their numbers come from, for who sees the table alone."""
    data = {facts.name: "synthetic" if facts.data_synthetic else facts.data_title for facts in workloads}
    columns = list(kind.model_fields)
    values = attrgetter(*columns)
    return _csv([*columns, "data"], ([*values(row), data.get(row.workload)] for row in rows))


def _models_csv(kind: type[BaseModel], rows: Sequence[BaseModel]) -> str:
    """One line per row, a column for each field."""
    columns = list(kind.model_fields)
    return _csv(columns, map(attrgetter(*columns), rows))


def _curves_csv(rows: Sequence[CurveRow]) -> str:
    """One line per cell and epoch."""
    keys = ["workload", "scaling", "strategy", "nodes", "devices", "n"]
    lines = (
        (*(getattr(row, key) for key in keys), epoch, *values)
        for row in rows
        for epoch, values in enumerate(zip(row.train_loss, row.low, row.high, strict=True))
    )
    return _csv([*keys, "epoch", "train_loss", "low", "high"], lines)


def _prediction_csv(curves: Sequence[PredictionCurve]) -> str:
    """One line per curve and number of devices."""
    keys = ["workload", "scaling", "strategy", "algorithm"]
    columns = ["devices", "efficiency", "low", "high", "step_s"]
    lines = (
        (*(getattr(curve, key) for key in keys), *values)
        for curve in curves
        for values in zip(*(getattr(curve, column) for column in columns), strict=True)
    )
    return _csv([*keys, *columns], lines)


def _csv(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Empty for None; floats in the fewest digits that read back as the same number: so the writer does it."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([str(value).lower() if isinstance(value, bool) else value for value in row] for row in rows)
    return stream.getvalue()

"""The CSV tables: one header line, units in the column names, the same bytes for the same rows."""

import csv
import io
from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from scalestudy.records.files import write_text
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
)


def write_tables(paths: StudyPaths, data: ReportData) -> None:
    """Write every table. Raises StudyError when the disk refuses."""
    tables: dict[str, tuple[type[BaseModel], Sequence[BaseModel]]] = {
        "speedup": (SpeedupRow, data.speedup),
        "efficiency": (EfficiencyRow, data.efficiencies),
        "phases": (PhaseRow, data.phases),
        "communication": (CommunicationRow, data.communication),
        "probe": (CeilingRow, data.probe.ceilings),
        "allreduce": (AllReduceRow, data.probe.all_reduce),
        "links": (LinkRow, data.probe.links),
        "accuracy": (AccuracyRow, data.accuracy),
        "parity": (ParityRow, data.parity),
    }
    write_text(paths.tables / "runs.csv", runs_csv(data.runs))
    for name, (kind, rows) in tables.items():
        write_text(paths.tables / f"{name}.csv", _csv(list(kind.model_fields), [row.model_dump() for row in rows]))
    write_text(paths.tables / "curves.csv", _curves_csv(data.curves))


def runs_csv(rows: Sequence[RunRow]) -> str:
    """runs.csv, whose digest the report prints."""
    return _csv(list(RunRow.model_fields), [row.model_dump() for row in rows])


def _curves_csv(rows: Sequence[CurveRow]) -> str:
    """One line per cell and epoch."""
    keys = ["workload", "scaling", "strategy", "nodes", "devices", "n"]
    names = ["train_loss", "low", "high"]
    lines = [
        {**{key: getattr(row, key) for key in keys}, "epoch": epoch, **dict(zip(names, values, strict=True))}
        for row in rows
        for epoch, values in enumerate(zip(row.train_loss, row.low, row.high, strict=True))
    ]
    return _csv([*keys, "epoch", *names], lines)


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return stream.getvalue()


def _cell(value: object) -> str:
    """Empty for None; floats in the fewest digits that read back as the same number."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)

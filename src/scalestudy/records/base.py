"""What every part of report.json is built on."""

from typing import Protocol

from pydantic import BaseModel, ConfigDict


class ReportModel(BaseModel):
    """A part of report.json."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class CellRow(ReportModel):
    """A row of a table with one line per cell: its columns begin with the cell."""

    workload: str
    scaling: str
    strategy: str
    """As its entry in config.yaml is called: by its label, or by the strategy's name where it has none."""
    nodes: int
    devices: int
    """Of all nodes together."""


class OfCell(Protocol):
    """Anything that is about one cell, wherever its columns stand."""

    @property
    def workload(self) -> str: ...  # noqa: D102
    @property
    def scaling(self) -> str: ...  # noqa: D102
    @property
    def strategy(self) -> str: ...  # noqa: D102
    @property
    def nodes(self) -> int: ...  # noqa: D102
    @property
    def devices(self) -> int: ...  # noqa: D102

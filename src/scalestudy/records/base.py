"""What every part of report.json is built on."""

from pydantic import BaseModel, ConfigDict


class ReportModel(BaseModel):
    """A part of report.json."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

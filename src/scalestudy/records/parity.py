"""parity.json: whether each strategy computes what serial training computes."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from scalestudy.records.provenance import Provenance

GRADIENT_TOLERANCE = 1e-12
PARAMETER_TOLERANCE = 1e-10


class ParityRow(BaseModel):
    """One strategy of one workload against a serial loop, in float64."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    workload: str
    strategy: str
    nodes: int
    devices: int
    reference: Literal["shards", "full_batch"]
    """The serial loop over the same shards, or over the whole batch (only without batch norm per shard)."""
    shares: Literal["even", "uneven"]
    implementation: str
    steps: int
    gradient_error: float | None
    """Largest relative difference of a gradient over the steps: ``|g - r| / |r|`` in the 2-norm, of all parameters
    together and of each one whose gradient is not negligible (train/parity.py)."""
    parameter_error: float | None
    """Likewise of the parameters after the last step."""
    gradient_tolerance: float = GRADIENT_TOLERANCE
    parameter_tolerance: float = PARAMETER_TOLERANCE
    passed: bool
    error: str | None = None


class Parity(BaseModel):
    """All rows of a study."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_version: Literal[1] = 1
    rows: list[ParityRow]
    provenance: Provenance | None = None
    """Of the process that had the strategies checked, one for all rows."""

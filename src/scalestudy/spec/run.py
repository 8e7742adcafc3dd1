"""Cells and runs: what one job does, whole."""

import hashlib
import json
from typing import Literal

from pydantic import Field

from scalestudy.spec.base import SpecModel
from scalestudy.spec.catalog import STRATEGIES
from scalestudy.spec.config import ReportSpec, Scaling
from scalestudy.spec.repeats import RepeatsSpec
from scalestudy.spec.workload import Options, Workload


class Cell(SpecModel):
    """Workload x scaling x strategy x nodes x devices per node. Its repeats differ in the seed alone."""

    workload: str
    scaling: Scaling
    strategy: str
    """What trains, as the catalog names it."""
    label: str = Field(default="", exclude_if=lambda label: not label)
    """Of the entry in config.yaml; empty, and then not written: it has none."""
    nodes: int
    devices_per_node: int

    @property
    def variant(self) -> str:
        """How paths, tables and figures call the strategy: by its label, or by its name."""
        return self.label or self.strategy

    @property
    def devices(self) -> int:
        """All devices of the cell."""
        return self.nodes * self.devices_per_node

    @property
    def layout(self) -> str:
        """Nodes x devices per node, such as ``2x4``."""
        return f"{self.nodes}x{self.devices_per_node}"

    @property
    def id(self) -> str:
        """``WORKLOAD/SCALING/VARIANT-NxD``, also the folder below ``runs/``."""
        return f"{self.workload}/{self.scaling}/{self.variant}-{self.layout}"


class Run(SpecModel):
    """One cell with one seed: the unit that is submitted, timed, retried and resumed. Written as run.json."""

    schema_version: Literal[1] = 1
    study: str
    cell: Cell
    seed: int
    workload: Workload
    strategy_options: Options = {}
    device: Literal["cpu", "cuda"]
    cores_per_device: int
    oversubscribed: bool
    """More devices than the machine has: correctness only, no speedup."""
    cluster: bool = False
    """Planned for the nodes of a cluster: another run than the same one on the machine that plans."""
    data_folder: str
    """Folder of the prepared data set (see train/data/stage.py)."""
    model_code: str = Field(default="", exclude_if=lambda digest: not digest)
    """Digest of the file of the user's own model (see own_code.py); empty, and then not written, for any other."""

    @property
    def id(self) -> str:
        """``WORKLOAD/SCALING/VARIANT-NxD/seedK``."""
        return f"{self.cell.id}/seed{self.seed}"

    @property
    def processes_per_node(self) -> int:
        """Ranks of one node: one for each device, or one that drives them all."""
        return self.cell.devices_per_node if STRATEGIES[self.cell.strategy].processes == "per_device" else 1

    @property
    def processes(self) -> int:
        """Ranks of the run."""
        return self.cell.nodes * self.processes_per_node

    @property
    def global_batch(self) -> int:
        """Images per update over all devices."""
        per_device = self.cell.scaling != "strong"
        return self.workload.batch_size * (self.cell.devices if per_device else 1)

    @property
    def train_samples(self) -> int | None:
        """Training images of an epoch over all devices (None: the whole data set)."""
        if self.cell.scaling != "weak":
            return self.workload.data.train
        assert self.workload.weak_samples is not None  # refused while planning
        return self.workload.weak_samples * self.cell.devices

    @property
    def digest(self) -> str:
        """Hash of everything in run.json: two runs with one digest are the same work."""
        return digest_of(self)


class Study(SpecModel):
    """All runs of one study and the settings that the analysis needs. Written as study.json."""

    schema_version: Literal[1] = 1
    name: str
    configuration: str = "config.yaml"
    """The file that describes it."""
    runs: list[Run]
    accuracy_margin: float
    accuracy_target: float | None = None
    repeats: RepeatsSpec | None = None
    """None: every run is wanted. Otherwise ``runs`` holds all that there can be, and analysis/repeats.py says which of
    them are wanted."""
    report: ReportSpec = ReportSpec()
    skipped: list[str] = []
    """Combinations that the study names and the plan left out, one line each with the reason."""
    notes: list[str] = []
    """What the plan chose by itself, and what it lacks, one line each."""

    @property
    def digest(self) -> str:
        """Hash of everything in study.json."""
        return digest_of(self)


def digest_of(model: SpecModel) -> str:
    """Hash of everything in a model."""
    text = json.dumps(model.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

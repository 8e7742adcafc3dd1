"""config.yaml as models. How it is read and how its errors are worded stands in spec/reading.py."""

from typing import Annotated, Literal

from pydantic import Field

from scalestudy.spec.base import SpecModel
from scalestudy.spec.workload import Options, PositiveInt, Workload

Scaling = Literal["strong", "epoch", "weak"]
LAYOUT_PATTERN = r"^(auto|[1-9][0-9]*x[1-9][0-9]*)$"
NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_]*$"
Layout = Annotated[str, Field(pattern=LAYOUT_PATTERN)]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Flag = Annotated[bool, Field(strict=True)]


class StrategyEntry(SpecModel):
    """One strategy of a study, with the layouts it runs on."""

    name: str
    layouts: list[Layout] = Field(default=["auto"], min_length=1)
    """Nodes x devices per node, such as ``2x4``; ``auto``: all devices of the machine."""
    options: Options = {}
    """Settings of the strategy, see docs/strategies.md."""


class MachineSpec(SpecModel):
    """What the study may use."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """``auto``: GPUs where there are any, otherwise CPU cores."""
    nodes: PositiveInt = 1
    """Nodes; on one machine more than one is simulated by processes."""
    devices_per_node: PositiveInt | Literal["auto"] = "auto"
    """Devices of a node; ``auto``: counted on the machine that plans."""
    cores_per_device: PositiveInt = 1
    """CPU cores that make one device when there are no GPUs."""
    oversubscribe: Flag = False
    """Allow more devices than there are: such cells are checked for correctness, and get no speedup."""


class ReportSpec(SpecModel):
    """The authors' own words; everything else in the report is measured."""

    title: str = ""
    subtitle: str = ""
    authors: list[str] = []
    course: str = ""
    overview: str = ""
    discussion: str = ""
    conclusion: str = ""


class StorageSpec(SpecModel):
    """Where data sets are found and prepared."""

    folder: str = Field(default="data", min_length=1)
    """Holds the raw files as torchvision lays them out, and the prepared arrays under ``prepared/``."""
    download: Flag = True
    """Download what the folder lacks."""


class StudySpec(SpecModel):
    """A named set of cells and seeds."""

    workloads: list[Name] = Field(min_length=1)
    scalings: list[Scaling] = Field(default=["epoch"], min_length=1)
    strategies: list[str | StrategyEntry] = Field(min_length=1)
    seeds: list[Annotated[int, Field(ge=0, strict=True)]] = Field(min_length=1)
    accuracy_margin: float = Field(default=0.01, gt=0, lt=1)
    """Accuracies closer than this count as equivalent (fraction: 0.01 is one percentage point)."""


class Config(SpecModel):
    """The whole of config.yaml."""

    study: Name = "quick"
    """The study to run; ``--config study=NAME`` overrides it."""
    machine: MachineSpec = MachineSpec()
    data: StorageSpec = StorageSpec()
    report: ReportSpec = ReportSpec()
    workloads: dict[Name, Workload] = Field(min_length=1)
    studies: dict[Name, StudySpec] = Field(min_length=1)

"""config.yaml as models. How it is read and how its errors are worded stands in spec/reading.py."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from scalestudy.spec.base import Flag, Number, PositiveInt, SpecModel
from scalestudy.spec.container import ContainerSpec
from scalestudy.spec.repeats import RepeatsSpec
from scalestudy.spec.workload import Options, Workload

Scaling = Literal["strong", "epoch", "weak"]
LAYOUT_PATTERN = r"^(auto|doubling|[1-9][0-9]{0,5}x[1-9][0-9]{0,5})$"
NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_]{0,59}$"
FOLDER_PATTERN = r"^[^~]"
"""Host and image have different home folders."""
Layout = Annotated[str, Field(pattern=LAYOUT_PATTERN)]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1, strict=True)]


class StrategyEntry(SpecModel):
    """One strategy of a study, with the layouts it runs on."""

    name: str
    """``serial``, ``data_parallel``, ``ddp``, ``hybrid`` or ``hsdp``."""
    label: Name | None = None
    """What the entry is called, where a strategy stands in the study several times with different options."""
    layouts: list[Layout] = Field(default=["auto"], min_length=1)
    """Nodes x devices per node, such as ``2x4``; ``auto``: all devices of the machine, as far as an epoch keeps four
    batches or more; ``doubling``: 2, 4, 8, ... of them, up to those of ``auto``."""
    options: Options = {}
    """Settings of the strategy, see docs/strategies.md."""


# A union picks its member by the kind of value, so that a wrong value gives one message and not one per member.
# The tags stand in angle brackets because model_errors.py takes them out of the key again.
def _number_or_word(value: Any) -> str:
    return "<number>" if isinstance(value, int | float) and not isinstance(value, bool) else "<word>"


def _name_or_entry(value: Any) -> str:
    return "<entry>" if isinstance(value, dict | StrategyEntry) else "<name>"


DeviceCount = Annotated[
    Annotated[PositiveInt, Tag("<number>")] | Annotated[Literal["auto"], Tag("<word>")],
    Discriminator(_number_or_word),
]
StrategyItem = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[StrategyEntry, Tag("<entry>")], Discriminator(_name_or_entry)
]


class MachineSpec(SpecModel):
    """What the study may use."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """``auto``: GPUs where there are any, otherwise CPU cores."""
    nodes: PositiveInt = 1
    """Nodes; on one machine more than one is simulated by processes."""
    devices_per_node: DeviceCount = "auto"
    """Devices of a node; ``auto``: those of the machine that plans, shared out over its nodes."""
    cores_per_device: PositiveInt = 1
    """CPU cores that make one device when there are no GPUs."""
    oversubscribe: Flag = False
    """Allow more CPU devices than there are: such cells are checked for correctness, and get no speedup."""


class ClusterSpec(SpecModel):
    """The nodes that ``snakemake --profile slurm`` sends runs to. Nothing can be counted where the study is planned."""

    device: Literal["cpu", "cuda"] = "cpu"
    """``cuda``: GPUs; ``cpu``: CPU cores."""
    nodes: PositiveInt = 2
    """The most nodes that one run may have."""
    devices_per_node: PositiveInt = 2
    """Devices of a node."""
    cores_per_device: PositiveInt = 1
    """CPU cores that make one device, or that go with each GPU."""

    def as_machine(self) -> MachineSpec:
        """The same as a machine whose devices are all there."""
        return MachineSpec(**self.model_dump())


class PublishedSpeedup(SpecModel):
    """Speedups that somebody else published, to stand beside the measured ones."""

    source: str = Field(min_length=1)
    """Who published them, in words."""
    speedups: list[Annotated[float, Field(gt=0, strict=True)]] = Field(min_length=1)
    """The speedups as published."""
    setting: str = ""
    """What they were measured with, in words."""


class ReportSpec(SpecModel):
    """The authors' own words; everything else in the report is measured."""

    language: Literal["en", "de"] = "en"
    """Of the report: English or German, its numbers included."""

    title: str = ""
    """Of the report; empty: made from the study's name."""
    subtitle: str = ""
    """Below the title."""
    authors: list[str] = []
    """One text per author."""
    course: str = ""
    """Course or group, in the title block."""
    overview: str = ""
    """A paragraph of yours in the overview."""
    discussion: str = ""
    """A paragraph of yours in the discussion."""
    conclusion: str = ""
    """A paragraph of yours in the conclusion."""
    published: list[PublishedSpeedup] = []
    """Speedups published elsewhere, printed beside the measured ones and labeled so."""
    availability: str = ""
    """Where the program, configuration and records of the study can be had: an address or a DOI."""


class StorageSpec(SpecModel):
    """Where data sets are found and prepared."""

    folder: str = Field(default="data", min_length=1, pattern=FOLDER_PATTERN)
    """Holds the raw files as torchvision lays them out, and the prepared arrays under ``prepared/``. A path without
    ``~``."""
    download: Flag = True
    """Download what the folder lacks."""


class StudySpec(SpecModel):
    """A named set of cells and seeds."""

    workloads: list[Name] = Field(min_length=1)
    """Names from ``workloads``."""
    scalings: list[Scaling] = Field(default=["epoch"], min_length=1)
    """What is held fixed as devices are added. ``strong``: the whole batch; ``epoch``: the batch per device and the
    epochs; ``weak``: the batch and the images per device."""
    strategies: list[StrategyItem] = Field(min_length=1)
    """Strategies by name, or with ``name``, ``layouts`` and ``options``."""
    seeds: list[Seed] = []
    """One run of every cell per seed; intervals need at least three, better six. Left out with ``repeats``."""
    repeats: RepeatsSpec | None = None
    """Instead of ``seeds``: repeat every cell until its time is known well enough."""
    accuracy_margin: Number = Field(default=0.01, gt=0, lt=1)
    """Accuracies closer than this count as equivalent (fraction: 0.01 is one percentage point)."""
    accuracy_target: Number | None = Field(default=None, gt=0, lt=1)
    """Test accuracy for the time to accuracy (left out: the mean of the serial base less ``accuracy_margin``)."""

    @property
    def entries(self) -> list[StrategyEntry]:
        """The strategies, those given by name alone with the default layouts."""
        return [StrategyEntry(name=item) if isinstance(item, str) else item for item in self.strategies]

    @property
    def all_seeds(self) -> list[int]:
        """The seeds of every run that the study may have; with adaptive repeats they count from 1."""
        return list(range(1, self.repeats.max + 1)) if self.repeats else self.seeds


class Config(SpecModel):
    """The whole of config.yaml."""

    study: Name = "quick"
    """The study to run; ``--config study=NAME`` overrides it."""
    machine: MachineSpec = MachineSpec()
    """What the study may use."""
    cluster: ClusterSpec = ClusterSpec()
    """What it may use with ``snakemake --profile slurm``, instead of ``machine``."""
    data: StorageSpec = StorageSpec()
    """Where data sets are found and prepared."""
    container: ContainerSpec = ContainerSpec()
    """In what the training runs."""
    report: ReportSpec = ReportSpec()
    """Your own words in the report."""
    workloads: dict[Name, Workload] = Field(min_length=1)
    """What can be trained, by a name of your choice."""
    studies: dict[Name, StudySpec] = Field(min_length=1)
    """What is compared, by a name of your choice."""

"""report.json: every number and sentence that the report prints. The report computes none."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from scalestudy.records.parity import ParityRow
from scalestudy.records.result import LayerRow
from scalestudy.spec.config import ReportSpec


class ReportModel(BaseModel):
    """A part of report.json."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Interval(ReportModel):
    """A 95 % interval."""

    low: float
    high: float


class SpeedupRow(ReportModel):
    """One cell of speedup.csv. Fields are None where the number does not exist; ``note`` says why."""

    workload: str
    scaling: str
    strategy: str
    nodes: int
    devices: int
    n: int
    """Completed runs that enter the row."""
    time_s: float | None
    """Median over the runs of the run's median epoch time."""
    time_low_s: float | None
    time_high_s: float | None
    speedup: float | None
    """Base time over this time; under weak scaling times the number of devices (scaled speedup)."""
    speedup_low: float | None
    speedup_high: float | None
    efficiency: float | None
    """Speedup over devices."""
    images_per_s: float | None
    accuracy: float | None
    """Mean final test accuracy, a fraction."""
    base_time_s: float | None
    end_to_end_speedup: float | None
    """Base's over this cell's median wall-clock time of the whole run, start-up included; under weak scaling times
    the number of devices. Runs that were resumed do not enter it."""
    note: str = ""
    fastest: bool = False
    """The most images/s of its workload and scaling (the shortest epoch, unless the scaling is weak)."""
    efficiency_low: float | None = None
    efficiency_high: float | None = None
    device_time_s: float | None = None
    """Epoch time times devices."""
    total_s: float | None = None
    """Median wall-clock time of a whole run that was not resumed, start-up included."""
    time_method: str = ""
    """How the interval of the time was computed; empty: there is none."""
    speedup_method: str = ""


class AccuracyRow(ReportModel):
    """Final test accuracy of a cell against its base, by two one-sided tests."""

    workload: str
    scaling: str
    strategy: str
    nodes: int
    devices: int
    n: int
    accuracy: float | None
    accuracy_sd: float | None
    difference: float | None
    """Fraction; None for the base."""
    difference_low: float | None
    """90 % interval, which two one-sided tests at 5 % go with."""
    difference_high: float | None
    verdict: Literal["baseline", "equivalent", "not shown", "not computed"]


class PhaseRow(ReportModel):
    """Device-seconds per epoch of a cell by phase, means over its runs; None: not measured."""

    workload: str
    scaling: str
    strategy: str
    nodes: int
    devices: int
    n: int
    total_s: float
    """Step time of all devices, added up, per epoch."""
    data_s: float | None
    host_to_device_s: float | None
    forward_s: float | None
    backward_s: float | None
    communication_s: float | None
    waiting_s: float | None
    optimizer_s: float | None
    other_s: float | None
    price: float | None
    """Device time of an image over the base's: what training costs in device time relative to the base. None where
    the cell has no speedup."""


class RunRow(ReportModel):
    """One planned run, as in runs.csv."""

    run: str
    workload: str
    scaling: str
    strategy: str
    nodes: int
    devices: int
    seed: int
    outcome: Literal["completed", "failed", "missing"]
    reason: str = ""
    epoch_time_s: float | None = None
    startup_s: float | None = None
    total_s: float | None = None
    images_per_s: float | None = None
    train_loss: float | None = None
    accuracy: float | None = None
    peak_memory_bytes: int | None = None
    foreign_load: float | None = None
    resumed: int = 0
    oversubscribed: bool = False
    implementation: str = ""
    host: str = ""
    commit: str = ""
    image: str = ""
    """Digest of the image that the run was in; empty: in none."""
    weights_sha256: str = ""


class CurveRow(ReportModel):
    """Training loss over epochs: median and full range over the seeds of a cell."""

    workload: str
    scaling: str
    strategy: str
    nodes: int
    devices: int
    n: int
    train_loss: list[float]
    low: list[float]
    high: list[float]


class WorkloadFacts(ReportModel):
    """What the model and serial baseline section says of a workload."""

    name: str
    title: str
    data_title: str
    data_synthetic: bool
    model_title: str
    parameters: int
    gradient_bytes: int
    layers: list[LayerRow]
    optimizer: str
    """In words, such as ``Adam, learning rate 0.01``."""
    batch_size: int
    epochs: int
    untimed_epochs: int
    train_images: int
    augment: str
    precision: str
    base_time_s: float | None
    base_images_per_s: float | None


class StrategyRow(ReportModel):
    """What the strategies section says of a strategy of the study."""

    name: str
    title: str
    replicated: str
    exchanged: str
    implementations: list[str]
    """What really ran, as the runs recorded it."""
    notes: list[str] = []
    """Settings that the strategy had to change, as the runs recorded it."""


class Headline(ReportModel):
    """One of the figures below the abstract; texts are ready to print."""

    label: str
    value: str
    interval: str
    detail: str


class Sentence(ReportModel):
    """A sentence written by a numbered rule. ``text`` is plain; ``**...**`` marks what is set in bold."""

    rule: str
    section: Literal["abstract", "setup", "performance", "accuracy", "challenges", "discussion"]
    text: str


class Rule(ReportModel):
    """What a sentence rule states and when."""

    rule: str
    states: str
    condition: str


class Counts(ReportModel):
    """What became of the planned runs."""

    planned: int
    completed: int
    failed: int
    missing: int
    resumed: int
    oversubscribed: int
    loaded: int
    """Completed runs in which other programs took more than 5 % of the machine."""
    skipped: int = 0
    """Combinations that the study names but this machine cannot run."""


class EnvironmentRow(ReportModel):
    """One line of the environment table, as the jobs recorded it."""

    item: str
    value: str
    """Distinct values with the number of runs where there are several."""
    conflict: bool = False
    """The runs disagree on what should be the same for all of them."""


class Method(ReportModel):
    """How one kind of number and its interval were computed."""

    quantity: str
    method: str
    source: str


class ReportData(ReportModel):
    """The whole of report.json."""

    schema_version: Literal[1] = 1
    study: str
    words: ReportSpec
    date: str
    """ISO day of the last run, UTC."""
    commit: str
    data_sha256: str
    """Of runs.csv."""
    device_name: str
    """What one device is called: ``GPU`` or ``CPU core`` or, with several cores a device, ``CPU device``."""
    accuracy_margin: float
    counts: Counts
    strategies: list[StrategyRow]
    workloads: list[WorkloadFacts]
    speedup: list[SpeedupRow]
    accuracy: list[AccuracyRow]
    phases: list[PhaseRow]
    curves: list[CurveRow]
    parity: list[ParityRow]
    runs: list[RunRow]
    environment: list[EnvironmentRow]
    headlines: list[Headline]
    sentences: list[Sentence]
    rules: list[Rule]
    methods: list[Method] = []
    """Statistical methods that the intervals of this report really used."""
    problems: list[str]
    """Damaged records and skipped combinations, one line each."""

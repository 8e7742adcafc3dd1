"""report.json: every number and sentence that the report prints. The report computes none."""

from typing import Literal

from scalestudy.records.base import CellRow, ReportModel
from scalestudy.records.findings import (
    BatchRow,
    ComparisonRow,
    ComplianceRow,
    EquivalenceRow,
    Exclusion,
    FitCurve,
    FitRow,
    MitigationRow,
    PredictionCurve,
    Refusal,
    RepeatRow,
    TargetRow,
    ValidationRow,
)
from scalestudy.records.parity import ParityRow
from scalestudy.records.result import LayerRow
from scalestudy.spec.config import ReportSpec


class Interval(ReportModel):
    """A 95 % interval."""

    low: float
    high: float


class SpeedupRow(CellRow):
    """One cell of speedup.csv. Fields are None where the number does not exist; ``note`` says why."""

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
    mean_s: float | None = None
    """Mean over the runs of the run's median epoch time."""
    mean_low_s: float | None = None
    mean_high_s: float | None = None
    mean_method: str = ""
    ceiling_speedup: float | None = None
    """What so many independent serial trainings at once reach on this layout, against one alone: no strategy that
    computes the same can be faster. None where it was not probed."""
    ceiling_low: float | None = None
    ceiling_high: float | None = None
    of_ceiling: float | None = None
    """Speedup over ceiling: what the strategy itself costs, contention for memory and clock aside."""
    of_ceiling_low: float | None = None
    of_ceiling_high: float | None = None
    end_to_end_low: float | None = None
    end_to_end_high: float | None = None
    end_to_end_method: str = ""


class AccuracyRow(CellRow):
    """Final test accuracy of a cell against its base, by two one-sided tests."""

    n: int
    accuracy: float | None
    accuracy_sd: float | None
    difference: float | None
    """Fraction; None for the base."""
    difference_low: float | None
    """90 % interval, which two one-sided tests at 5 % go with."""
    difference_high: float | None
    verdict: Literal["baseline", "equivalent", "not shown", "not computed"]


class PhaseRow(CellRow):
    """Device-seconds per epoch of a cell by phase; None: not measured.

    A phase is its share of the step time of the runs that timed phases, times the total.
    """

    n: int
    """Runs that timed phases."""
    total_s: float
    """``device_time_s`` of the cell's row of speedups: its epoch time times its devices."""
    data_s: float | None
    host_to_device_s: float | None
    forward_s: float | None
    backward_s: float | None
    communication_s: float | None
    waiting_s: float | None
    optimizer_s: float | None
    other_s: float | None
    price: float | None
    """Device time of an image over the base's: the total over the base's, under weak scaling per device. It is devices
    times epoch time over the base's, so devices over speedup. None where the cell has no speedup."""
    price_low: float | None = None
    price_high: float | None = None
    price_method: str = ""


class CommunicationRow(CellRow):
    """What communication takes of a step of a cell, in seconds per step; None: not measured."""

    n: int
    """Completed runs; those that measured the cost enter it."""
    pairs: int
    """Pairs of a step with and a step without communication, over all runs."""
    gradient_bytes: int
    step_s: float | None
    """Step time in training, mean over timed epochs and runs."""
    exposed_s: float | None
    """Of it waiting for communication alone, mean over the devices."""
    waiting_s: float | None
    """Of it waiting for the slowest device, mean over the devices."""
    with_s: float | None
    """Time of the gradients of a step with communication, on a scratch copy: mean over the runs of their medians."""
    without_s: float | None
    """``with_s`` less ``cost_s``: without communication."""
    cost_s: float | None
    """Mean over the runs of a run's median paired difference of the two: what communication costs, the part that
    runs beside the backward pass included."""
    cost_low_s: float | None
    cost_high_s: float | None
    cost_share: float | None
    """``cost_s`` over ``with_s``."""
    method: str = ""
    """How the interval was computed; empty: there is none."""
    without: str = ""
    """What stood in for the exchange."""
    reason: str = ""
    """Why something was not measured."""


class EfficiencyRow(CellRow):
    """Where the efficiency of a cell is lost: factors after the POP methodology; None: not measured (``reason``).

    They are those of the run with the cell's median epoch time, which the speedup is of, or geometric means of the two
    middle runs.
    ``global_efficiency`` = ``parallel`` x ``computation_scalability``; ``parallel`` = ``data_feeding`` x
    ``load_balance`` x ``communication``; ``communication`` = ``serialization`` x ``transfer``.
    """

    n: int
    """Runs with measured phases that the middle is taken of."""
    global_efficiency: float | None
    parallel: float | None
    """Mean time that devices compute over the time of the steps."""
    data_feeding: float | None
    """Time that devices compute over that plus the time that they wait for data and copies."""
    load_balance: float | None
    """Mean over largest busy time of a device."""
    communication: float | None
    """Largest busy time of a device over the time of the steps."""
    serialization: float | None
    """The part of ``communication`` that stays when messages take no time: imbalance that changes sides."""
    transfer: float | None
    """The part of ``communication`` that is exposed communication."""
    computation_scalability: float | None
    """Computing time per image of the base over that of all devices of the cell together."""
    measured: float | None
    """Efficiency as speedup.csv has it: speedup over devices."""
    base_global: float | None
    """The base's own global efficiency: it waits for data too."""
    residual: float | None
    """``measured`` over (``global_efficiency`` / ``base_global``), less 1: what lies outside the steps, and the median
    over epochs against their mean."""
    ceiling: float | None = None
    """Efficiency of independent serial trainings at once: what contention leaves."""
    reason: str = ""
    """Why factors are empty."""


class CeilingRow(ReportModel):
    """One kind of work on a layout: by one device alone, and by all at once without any communication."""

    nodes: int
    devices: int
    work: Literal["training", "matmul", "memory", "host_to_device"]
    workload: str
    """Of training, else empty."""
    batch_size: int
    """Of training: images per step and device."""
    unit: str
    """What is counted: ``images``, ``FLOP`` or ``bytes``; rates are per second."""
    n: int
    """Turns of alone and at once."""
    alone: float
    """Median rate of one device alone, per second."""
    alone_low: float | None
    alone_high: float | None
    together: float
    """Median rate of all devices together, per second: their work over the slowest one's time."""
    together_low: float | None
    together_high: float | None
    speedup: float
    """The ceiling: together over alone."""
    speedup_low: float | None
    speedup_high: float | None
    method: str = ""
    """How the interval of the ceiling was computed; empty: there is none."""


class AllReduceRow(ReportModel):
    """Time of one all-reduce over message sizes."""

    nodes: int
    devices: int
    group: Literal["all", "nodes"]
    ranks: int
    backend: str
    bytes: int
    n: int
    time_s: float
    """Median."""
    time_low_s: float | None
    time_high_s: float | None
    fitted_s: float | None
    """By the fit of its layout and group."""
    method: str = ""
    """How the interval was computed; empty: there is none."""


class LinkRow(ReportModel):
    """``alpha_s + beta_s_per_byte * bytes``, fitted to the all-reduce times of a layout and group of ranks."""

    nodes: int
    devices: int
    group: Literal["all", "nodes"]
    """All ranks, one per device; or one rank of each node."""
    ranks: int
    backend: str
    sizes: int
    """Message sizes that enter the fit."""
    repeats: int
    """Samples of each."""
    alpha_s: float
    """Time of an empty message: latency."""
    alpha_low_s: float | None
    alpha_high_s: float | None
    beta_s_per_byte: float
    """Time of each byte of the message, whatever the algorithm."""
    beta_low_s_per_byte: float | None
    beta_high_s_per_byte: float | None
    largest_error: float
    """Of the fitted against the median time of any size, relative."""


class ProbeFacts(ReportModel):
    """What the machine allows: probe.csv, allreduce.csv and links.csv."""

    ceilings: list[CeilingRow] = []
    all_reduce: list[AllReduceRow] = []
    links: list[LinkRow] = []
    method: str = ""
    """How the intervals of the fits were computed."""
    foreign_load: float | None = None
    """Largest share of the machine that other programs took during any of the probes; None: not measured."""


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
    flaw: str = ""
    """What is wrong with its rank records; its numbers come from result.json, which is whole."""
    excluded: str = ""
    """Why a completed run does not enter the numbers."""


class WorkRow(CellRow):
    """What the runs of a cell do, whatever their seeds."""

    settings: dict[str, str]
    """Of its workload but the number of epochs, its options and its device, each by its name in the configuration."""


class CurveRow(CellRow):
    """Training loss over epochs: median and full range over the seeds of a cell."""

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
    test_images: int = 0
    """0: only the data would tell."""
    augment: str
    precision: str
    base_time_s: float | None
    base_images_per_s: float | None


class StrategyRow(ReportModel):
    """What the strategies section says of a strategy of the study."""

    name: str
    """As the tables call its entry in config.yaml: by its label, or by the strategy's name where it has none."""
    title: str
    replicated: str
    exchanged: str
    implementations: list[str]
    """What really ran, as the runs recorded it."""
    strategy: str = ""
    """What trains, as the catalog names it; empty in records of earlier versions, where it is the name."""
    options: dict[str, str] = {}
    """Those that the entry sets, as config.yaml would have them."""
    notes: list[str] = []
    """Settings that the strategy had to change, as the runs recorded it."""


class Headline(ReportModel):
    """One of the figures below the abstract; texts are ready to print."""

    label: str
    value: str
    interval: str
    detail: str


Place = Literal[
    "abstract", "overview", "architecture", "setup", "performance", "accuracy", "target", "parity", "challenges",
    "factors", "communication", "mitigation", "prediction", "discussion",
]  # fmt: skip
"""Where in the report a sentence stands."""


class Sentence(ReportModel):
    """A sentence written by a numbered rule. ``text`` is plain; ``**...**`` marks what is set in bold."""

    rule: str
    section: Place
    text: str
    scaling: str = ""
    """The scaling that it is about; empty: it is about several or none."""


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
    """Combinations that the study names and the plan left out."""
    total_s: float = 0.0
    """Wall-clock time of all completed runs together."""
    excluded: int = 0
    """Completed runs that do not enter the numbers, see ``exclusions``."""
    flawed: int = 0
    """Completed runs with something wrong in their rank records."""


class EnvironmentRow(ReportModel):
    """One line of the environment tables, as the jobs recorded it."""

    item: str
    part: Literal["architecture", "provenance"] = "provenance"
    """Which table it stands in: machine, container and software, or source, data and settings."""
    value: str
    """Distinct values with the number of runs where there are several."""
    conflict: bool = False
    """The records disagree on what should be the same for all of them."""
    runs_differ: bool = False
    """The runs themselves have several values."""
    apart: list[str] = []
    """What else has a value that no run has, in words: ``parity check``, ``2 probes``."""
    key: str = ""
    """``item`` in English, and ``found`` the value: the same in every language, for programs."""
    found: str = ""


class Method(ReportModel):
    """How one kind of number and its interval were computed."""

    quantity: str
    method: str
    source: str


class Thresholds(ReportModel):
    """The limits and levels that sentences and captions name, as fractions."""

    interval: float = 0.95
    """Level of the intervals of times, speedups and efficiencies."""
    difference_interval: float = 0.90
    """Level of the intervals of accuracy differences: two one-sided tests at 5 % go with it."""
    efficiency: float = 0.8
    """Efficiency that the largest configuration above it is named for."""
    foreign_load: float = 0.05
    """Share of the machine; completed runs in which other programs took more are counted."""
    runs: int = 3
    """Fewest completed runs of a cell and of its base that give a speedup an interval."""


class ReportData(ReportModel):
    """The whole of report.json."""

    schema_version: Literal[1] = 1
    study: str
    configuration: str = ""
    """The file that describes the study, quoted for a shell; empty: the project's own config.yaml."""
    words: ReportSpec
    date: str
    """ISO day of the last run, UTC."""
    commit: str
    data_sha256: str
    """Of runs.csv."""
    device_name: str
    """What one device is called: ``GPU`` or ``CPU core`` or, with several cores a device, ``CPU device``; in the
    report's language."""
    device_plural: str = "devices"
    """What several are called."""
    version: str = ""
    """Of scalestudy that analyzed the runs."""
    image: str = ""
    """Digest of the container image that the runs were in; empty: in none. Several are listed."""
    thresholds: Thresholds = Thresholds()
    accuracy_margin: float
    counts: Counts
    strategies: list[StrategyRow]
    workloads: list[WorkloadFacts]
    speedup: list[SpeedupRow]
    accuracy: list[AccuracyRow]
    phases: list[PhaseRow]
    communication: list[CommunicationRow] = []
    efficiencies: list[EfficiencyRow] = []
    probe: ProbeFacts = ProbeFacts()
    curves: list[CurveRow]
    parity: list[ParityRow]
    runs: list[RunRow]
    environment: list[EnvironmentRow]
    headlines: list[Headline]
    sentences: list[Sentence]
    rules: list[Rule]
    methods: list[Method] = []
    """Statistical methods that the intervals printed in this report really used."""
    comparisons: list[ComparisonRow] = []
    mitigations: list[MitigationRow] = []
    equivalence: list[EquivalenceRow] = []
    targets: list[TargetRow] = []
    epochs_to_target: list[BatchRow] = []
    compliance: list[ComplianceRow] = []
    fits: list[FitRow] = []
    fit_curves: list[FitCurve] = []
    predictions: list[PredictionCurve] = []
    validation: list[ValidationRow] = []
    refusals: list[Refusal] = []
    """Why nothing is predicted, where nothing is."""
    exclusions: list[Exclusion] = []
    repeats: list[RepeatRow] = []
    work: list[WorkRow] = []
    """Empty in records of earlier versions."""
    problems: list[str]
    """Damaged records, skipped combinations and the plan's notes, one line each."""

"""The rows of report.json that compare, judge and extrapolate. Each kind is also a table of the same name."""

from typing import Literal

from scalestudy.records.base import CellRow, ReportModel


class ComparisonRow(ReportModel):
    """Two cells of one workload and scaling on equally many devices: comparison.csv."""

    workload: str
    scaling: str
    devices: int
    strategy: str
    nodes: int
    n: int
    other_strategy: str
    other_nodes: int
    other_n: int
    ratio: float
    """Epoch time of the strategy over that of the other: below 1, the strategy is faster."""
    low: float | None
    """95 % interval; None where either cell has too few runs."""
    high: float | None
    method: str
    verdict: Literal["faster", "slower", "not separated", "not computed"]
    """``not separated``: the interval holds 1."""


class MitigationRow(CellRow):
    """A strategy against the same one with other options, on the same layout: mitigations.csv.

    The changes are differences of means per step, those of the strategy less those of the other; None: not measured in
    both. Positive is more time.
    """

    n: int
    other_strategy: str
    """The entry of the same strategy without a label or, where there is none, the first."""
    other_n: int
    options: str
    """What differs, such as ``compression: none → fp16``: the other's value, then the strategy's; ``auto``: not set."""
    differences: int
    """How many of them: the effect is that of all together."""
    ratio: float | None
    """Epoch time of the strategy over that of the other: below 1, the strategy is faster."""
    low: float | None
    """95 % interval; None where either cell has too few runs."""
    high: float | None
    method: str
    verdict: Literal["faster", "slower", "not separated", "not computed"]
    """``not separated``: the interval holds 1."""
    exposed_change_s: float | None
    """Of exposed communication."""
    cost_change_s: float | None
    """Of the cost of communication."""
    waiting_change_s: float | None
    """Of waiting for the slowest device."""
    data_change_s: float | None
    """Of waiting for data."""
    note: str = ""
    """Why there is no ratio."""


class EquivalenceRow(CellRow):
    """Final test accuracy of a cell against its base, by two one-sided tests at 5 %: equivalence.csv."""

    n: int
    base_n: int
    margin: float
    """Fraction of the test images, set in the study before the runs."""
    difference: float | None
    """Mean accuracy of the cell less that of the base, a fraction."""
    low: float | None
    """90 % interval, which two one-sided tests at 5 % go with."""
    high: float | None
    p_value: float | None
    """The larger of the two tests' p-values: equivalent when below 0.05."""
    method: str
    verdict: Literal["equivalent", "not shown", "not computed"]


class TargetRow(CellRow):
    """Time to accuracy of a cell: target.csv. A run counts from its first epoch, the untimed ones included."""

    global_batch: int
    target: float
    """Test accuracy to reach, a fraction."""
    n: int
    reached: int
    """Runs that reached it."""
    epochs: float | None
    """Median number of whole epochs; None when half of the runs or more did not reach the target."""
    epochs_low: float | None
    """95 % interval; without ``epochs_high`` open above: its upper end is among the runs that never reached it."""
    epochs_high: float | None
    time_s: float | None
    """Median training time, evaluation apart."""
    time_low_s: float | None
    """95 % interval, open above like that of the epochs."""
    time_high_s: float | None
    speedup: float | None
    """Base's time to accuracy over this one."""
    speedup_low: float | None
    speedup_high: float | None
    method: str = ""
    """How the intervals of epochs and time were computed; empty: there is none."""
    speedup_method: str = ""


class BatchRow(ReportModel):
    """Epochs to the target for each global batch of a workload, repeats with one seed pooled: epochs_to_target.csv."""

    workload: str
    global_batch: int
    target: float
    n: int
    """Seeds."""
    reached: int
    epochs: float | None
    epochs_low: float | None
    """As in target.csv."""
    epochs_high: float | None
    method: str = ""


class ComplianceRow(ReportModel):
    """One of Hoefler and Belli's twelve rules, judged from this study's data: compliance.csv."""

    rule: int
    """1 to 12."""
    title: str
    satisfied: Literal["yes", "no", "not applicable"]
    evidence: str
    """One sentence with the numbers that decide."""


class FitRow(ReportModel):
    """One parameter of a scaling law fitted to the cells of a strategy: fits.csv."""

    workload: str
    scaling: str
    strategy: str
    law: Literal["amdahl", "gustafson", "usl"]
    parameter: str
    """``serial_fraction``, or ``sigma`` (contention) and ``kappa`` (coherency) of the USL; empty when refused."""
    value: float | None = None
    low: float | None = None
    """95 % interval."""
    high: float | None = None
    n: int = 0
    """Numbers of devices above 1 that enter the fit."""
    largest_devices: int = 0
    error: float | None = None
    """Leave-one-out: mean relative error of the speedup of a cell that the fit did not see."""
    refused: str = ""
    """Why there is no fit."""


class FitCurve(ReportModel):
    """The speedups of a fitted law, for a figure."""

    workload: str
    scaling: str
    strategy: str
    law: Literal["amdahl", "gustafson", "usl"]
    devices: list[int]
    speedup: list[float]


class PredictionCurve(ReportModel):
    """Efficiency that the model of one step predicts, by number of devices: prediction.csv, one line per number."""

    workload: str
    scaling: str
    strategy: str
    algorithm: Literal["ring", "tree"]
    """Of the all-reduce."""
    devices: list[int]
    efficiency: list[float]
    low: list[float]
    """95 % of the simulated studies lie between ``low`` and ``high``."""
    high: list[float]
    step_s: list[float]
    """Predicted time of a step."""
    network: str
    """Where latency and bandwidth come from, with their values, in words."""


class ValidationRow(ReportModel):
    """A cell that a model fitted to smaller cells predicted without having seen it: validation.csv."""

    workload: str
    scaling: str
    strategy: str
    model: str
    """``amdahl``, ``gustafson``, ``usl``, ``step model (ring)`` or ``step model (tree)``."""
    fitted_devices: int
    """The largest cell that the model saw."""
    nodes: int | None = None
    """Of the predicted cell; None in a report.json of an earlier version."""
    devices: int
    predicted: float | None
    """Efficiency."""
    low: float | None
    high: float | None
    measured: float
    error: float | None
    """Predicted over measured, less 1."""
    reason: str = ""
    """Why the model of the smaller cells cannot predict this one, so that nothing is checked."""


class Refusal(ReportModel):
    """Why nothing is predicted for a strategy."""

    workload: str
    scaling: str
    strategy: str
    reason: str


class Exclusion(ReportModel):
    """A planned run that does not enter some number: exclusions.csv."""

    run: str
    excluded_from: str
    """``every number``, ``end-to-end speedup``, ``accuracy``, ..."""
    reason: str


class RepeatRow(CellRow):
    """How many runs a cell got and why it got no more: repeats.csv."""

    n: int
    """Completed runs in which other programs took 5 % of the machine at most."""
    runs: int
    """All runs that were asked for."""
    half_width: float | None
    """Half the 95 % interval of the epoch time, relative to it; a last run that confirms may widen it again."""
    target: float | None
    """What the study asks for; None with fixed repeats."""
    state: Literal["fixed", "reached", "at most", "running"]
    """``at most``: the study's largest number of repeats was reached first."""

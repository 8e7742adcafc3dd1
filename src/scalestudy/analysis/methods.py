"""Names the statistical methods that a report's intervals used, with their sources."""

from collections.abc import Iterator

from scalestudy.analysis.statistics import (
    BOOTSTRAP_MEDIANS,
    BOOTSTRAP_T,
    LOG_T,
    MOVER_LOG,
    OPEN_ABOVE,
    ORDER_STATISTICS,
    WELCH,
    WELCH_LOG,
    T,
)
from scalestudy.records.findings import ComparisonRow, MitigationRow
from scalestudy.records.report import Method, ReportData

LAW_FIT = "fit of a law"
SIMULATION = "simulated studies"
HOEFLER = "Hoefler and Belli, Scientific Benchmarking of Parallel Computing Systems, SC 2015"
METHODS = {
    ORDER_STATISTICS: Method(
        quantity="epoch time, time and epochs to accuracy, time of an all-reduce; 6 values or more",
        method="median; 95% interval between two order statistics, exact for any distribution",
        source=HOEFLER,
    ),
    OPEN_ABOVE: Method(
        quantity="time and epochs to accuracy where some of 6 runs or more never reached it",
        method="median; 95% interval from an order statistic up, without an upper end: it lies among those runs",
        source=HOEFLER,
    ),
    LOG_T: Method(
        quantity="epoch time, time to accuracy, time of an all-reduce; 3 to 5 values",
        method="median; 95% t-interval of the mean logarithm, exponentiated",
        source=HOEFLER,
    ),
    BOOTSTRAP_T: Method(
        quantity="mean epoch time, cost of communication; 6 runs or more",
        method="mean of the runs' medians; 95% studentized bootstrap interval, 1999 resamples",
        source="Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 12.5",
    ),
    T: Method(
        quantity="mean epoch time, cost of communication; 3 to 5 runs, or nearly all equal",
        method="mean of the runs' medians; 95% t-interval",
        source=HOEFLER,
    ),
    BOOTSTRAP_MEDIANS: Method(
        quantity="speedup, efficiency, price, ceiling, ratio of two strategies; 6 values or more on a side",
        method="ratio of the medians; 95% percentile bootstrap of both medians, 2000 draws; of a side with 3 to 5 "
        "values from the t-distribution of the mean logarithm",
        source="Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13",
    ),
    WELCH_LOG: Method(
        quantity="speedup, efficiency, price, ceiling, ratio of two strategies; 3 to 5 values on both sides",
        method="ratio of the medians; 95% Welch t-interval for the difference of the mean logarithms, exponentiated",
        source="Welch, Biometrika 34 (1947); Hoefler and Belli, SC 2015",
    ),
    MOVER_LOG: Method(
        quantity="share of the ceiling",
        method="ratio of the two; the distances of their ends add up as squares of logarithms",
        source="Zou and Donner, Statistics in Medicine 27 (2008)",
    ),
    LAW_FIT: Method(
        quantity="parameter of a scaling law, efficiency that it predicts",
        method="least squares of logarithms with a free scale; 95% t-interval of the linearized law",
        source="Golub and Pereyra, SIAM Journal on Numerical Analysis 10 (1973)",
    ),
    SIMULATION: Method(
        quantity="efficiency that the model of one step predicts",
        method="median and central 95% of simulated studies, whose inputs are drawn from the measured ones",
        source="Efron and Tibshirani, An Introduction to the Bootstrap, 1993",
    ),
    WELCH: Method(
        quantity="difference of accuracies",
        method="difference of the means; 90% Welch t-interval, two one-sided tests at 5%",
        source="Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15 (1987)",
    ),
}


def printed_intervals(data: ReportData) -> list[str]:
    """The method of every interval that the report prints, by its name; empty where an interval names none."""
    found = [*_of_cells(data), *_of_other_rows(data), *_of_models(data)]
    return [method for low, method in found if low is not None]


def methods_used(data: ReportData) -> list[Method]:
    """The methods behind the intervals that the report prints, in a fixed order."""
    names = set(printed_intervals(data))
    return [method for name, method in METHODS.items() if name in names]


Named = Iterator[tuple[float | None, str]]
"""Lower ends of intervals, None where there is none, each with its method."""


def _of_cells(data: ReportData) -> Named:
    for row in data.speedup:
        yield row.time_low_s, row.time_method
        yield row.mean_low_s, row.mean_method
        yield row.speedup_low, row.speedup_method
        yield row.efficiency_low, row.speedup_method
        yield row.end_to_end_low, row.end_to_end_method
        yield row.of_ceiling_low, MOVER_LOG
    for phases in data.phases:
        yield phases.price_low, phases.price_method
    for cost in data.communication:
        yield cost.cost_low_s, cost.method
    for target in data.targets:
        yield target.epochs_low, target.method
        yield target.time_low_s, target.method
        yield target.speedup_low, target.speedup_method


def _of_other_rows(data: ReportData) -> Named:
    ratios: list[ComparisonRow | MitigationRow] = [*data.comparisons, *data.mitigations]
    for ratio in ratios:
        yield ratio.low, ratio.method
    for difference in data.equivalence:
        yield difference.low, difference.method
    for batch in data.epochs_to_target:
        yield batch.epochs_low, batch.method
    for ceiling in data.probe.ceilings:
        yield ceiling.speedup_low, ceiling.method
    for time in data.probe.all_reduce:
        yield time.time_low_s, time.method


def _of_models(data: ReportData) -> Named:
    for fit in data.fits:
        yield fit.low, LAW_FIT
    for checked in (row for row in data.validation if not row.reason):
        yield checked.low, SIMULATION if checked.model.startswith("step model") else LAW_FIT
    for curve in data.predictions:
        for low in curve.low:
            yield low, SIMULATION

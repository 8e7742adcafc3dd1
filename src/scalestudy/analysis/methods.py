"""Names the statistical methods that a report's intervals used, with their sources."""

from collections.abc import Sequence

from scalestudy.analysis.evidence import Evidence
from scalestudy.analysis.statistics import (
    BOOTSTRAP_MEDIANS,
    BOOTSTRAP_T,
    LOG_T,
    MOVER_LOG,
    ORDER_STATISTICS,
    WELCH_LOG,
    T,
)
from scalestudy.records.findings import FitRow
from scalestudy.records.report import Method

LAW_FIT = "fit of a law"
SIMULATION = "simulated studies"
HOEFLER = "Hoefler and Belli, Scientific Benchmarking of Parallel Computing Systems, SC 2015"
METHODS = {
    ORDER_STATISTICS: Method(
        quantity="epoch time, time to accuracy, 6 runs or more",
        method="median; 95% interval between two order statistics, exact for any distribution",
        source=HOEFLER,
    ),
    LOG_T: Method(
        quantity="epoch time, time to accuracy, 3 to 5 runs",
        method="median; 95% t-interval of the mean logarithm, exponentiated",
        source=HOEFLER,
    ),
    BOOTSTRAP_T: Method(
        quantity="cost of communication, 6 runs or more",
        method="mean of the runs' median differences; 95% studentized bootstrap interval, 1999 resamples",
        source="Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 12.5",
    ),
    T: Method(
        quantity="cost of communication, 3 to 5 runs",
        method="mean of the runs' median differences; 95% t-interval",
        source=HOEFLER,
    ),
    BOOTSTRAP_MEDIANS: Method(
        quantity="speedup, efficiency, price, ratio of two strategies, 6 runs or more on a side",
        method="ratio of the medians; 95% percentile bootstrap of both medians, 2000 draws; of a side with 3 to 5 runs "
        "from the t-distribution of the mean logarithm",
        source="Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13",
    ),
    WELCH_LOG: Method(
        quantity="speedup, efficiency, price, ratio of two strategies, 3 to 5 runs on both sides",
        method="ratio of the medians; 95% Welch t-interval for the difference of the mean logarithms, exponentiated",
        source="Welch, Biometrika 34 (1947); logarithms after Hoefler and Belli, SC 2015",
    ),
    MOVER_LOG: Method(
        quantity="share of the ceiling",
        method="ratio of the two; the distances of their ends add up as squares of logarithms",
        source="Zou and Donner, Statistics in Medicine 27 (2008)",
    ),
    LAW_FIT: Method(
        quantity="parameter of a scaling law",
        method="least squares of logarithms with a free scale; 95% t-interval of the linearized law",
        source="Golub and Pereyra, SIAM Journal on Numerical Analysis 10 (1973)",
    ),
    SIMULATION: Method(
        quantity="predicted efficiency",
        method="median and central 95% of simulated studies, whose inputs are drawn from the measured ones",
        source="Efron and Tibshirani, An Introduction to the Bootstrap, 1993",
    ),
}
EQUIVALENCE = Method(
    quantity="difference of accuracies",
    method="difference of the means; 90% Welch t-interval, two one-sided tests at 5%",
    source="Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15 (1987)",
)


def methods_used(evidence: Evidence, fits: Sequence[FitRow]) -> list[Method]:
    """The methods behind the intervals that the report prints, in a fixed order."""
    names = {name for row in evidence.speedup for name in (row.time_method, row.speedup_method)}
    names |= {row.method for row in evidence.communication} | {row.method for row in evidence.targets}
    names |= {row.method for row in evidence.mitigations}
    names |= {MOVER_LOG for row in evidence.speedup if row.of_ceiling_low is not None}
    names |= {LAW_FIT for row in fits if row.low is not None}
    names |= {SIMULATION for curve in evidence.predictions if curve.devices}
    used = [method for name, method in METHODS.items() if name in names]
    return used + ([EQUIVALENCE] if any(row.difference_low is not None for row in evidence.accuracy) else [])

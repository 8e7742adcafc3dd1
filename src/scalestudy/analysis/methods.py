"""Names the statistical methods that a report's intervals used, with their sources."""

from collections.abc import Sequence

from scalestudy.analysis.statistics import BOOTSTRAP_T, LOG_T, ORDER_STATISTICS, WELCH_LOG, T
from scalestudy.records.report import AccuracyRow, Method, SpeedupRow

HOEFLER = "Hoefler and Belli, Scientific Benchmarking of Parallel Computing Systems, SC 2015"
METHODS = {
    ORDER_STATISTICS: Method(
        quantity="epoch time, 6 runs or more",
        method="median; 95% interval between two order statistics, exact for any distribution",
        source=HOEFLER,
    ),
    LOG_T: Method(
        quantity="epoch time, 3 to 5 runs",
        method="median; 95% t-interval of the mean logarithm, exponentiated",
        source=HOEFLER,
    ),
    BOOTSTRAP_T: Method(
        quantity="mean epoch time, 6 runs or more",
        method="mean; 95% studentized bootstrap interval, 1999 resamples",
        source="Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 12.5",
    ),
    T: Method(
        quantity="mean epoch time, 3 to 5 runs",
        method="mean; 95% t-interval",
        source=HOEFLER,
    ),
    WELCH_LOG: Method(
        quantity="speedup, efficiency, ratio of two strategies",
        method="ratio of the medians; 95% Welch t-interval for the difference of the mean logarithms, exponentiated",
        source="Welch, Biometrika 34 (1947); logarithms after Hoefler and Belli, SC 2015",
    ),
}
EQUIVALENCE = Method(
    quantity="difference of accuracies",
    method="difference of the means; 90% Welch t-interval, two one-sided tests at 5%",
    source="Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15 (1987)",
)


def methods_used(speedup: Sequence[SpeedupRow], accuracy: Sequence[AccuracyRow]) -> list[Method]:
    """The methods behind the intervals of these rows, in a fixed order."""
    names = {name for row in speedup for name in (row.time_method, row.mean_method, row.speedup_method)}
    used = [method for name, method in METHODS.items() if name in names]
    return used + ([EQUIVALENCE] if any(row.difference_low is not None for row in accuracy) else [])

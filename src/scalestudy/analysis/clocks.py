"""Does the time of day between two event lines fit what the timers say? If not, somebody set the clock."""

import numpy as np
from numpy.typing import NDArray

CLOCK_TOLERANCE_S = 1.0
"""Clocks are corrected by less than this in passing."""
STALL_S = 60.0
"""Between the last event before an epoch and its end may pass half as much again as the epoch took, and this."""
UNEVEN = 1.5
"""Evaluation may take that much more or less on other ranks, or when it is done again, than on rank 0."""

Seconds = float | NDArray[np.float64]
Verdict = bool | NDArray[np.bool_]


def training_agrees(gap_s: Seconds, epoch_s: Seconds, slack_s: float = 0.0) -> Verdict:
    """Whether the time between an epoch's event and the one before it fits the epoch's own time."""
    return (epoch_s - CLOCK_TOLERANCE_S - slack_s <= gap_s) & (gap_s <= 1.5 * epoch_s + STALL_S + slack_s)


def evaluation_agrees(gap_s: Seconds, evaluation_s: Seconds, slack_s: float = 0.0) -> Verdict:
    """Whether the time between an epoch's event and that of its evaluation fits what evaluation took."""
    least, most = evaluation_s / UNEVEN - CLOCK_TOLERANCE_S, UNEVEN * evaluation_s + STALL_S
    return (least - slack_s <= gap_s) & (gap_s <= most + slack_s)

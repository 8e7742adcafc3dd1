"""How much of the machine other programs took, from /proc/stat."""

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from scalestudy.train.control import Control

STAT = Path("/proc/stat")


@dataclass(frozen=True)
class CpuTimes:
    """Seconds of CPU time up to now."""

    busy: float
    """Of the whole machine, time stolen by its host included."""
    total: float
    """Of the whole machine, idle time included; 0 where it is not known."""
    own: float
    """Of this process."""

    @classmethod
    def now(cls) -> "CpuTimes":
        """Read the counters."""
        own = os.times()
        try:
            fields = STAT.read_text().split("\n", 1)[0].split()[1:9]
            user, nice, system, idle, iowait, irq, softirq, steal = (
                float(field) / os.sysconf("SC_CLK_TCK") for field in fields
            )
        except (OSError, ValueError):
            return cls(0.0, 0.0, own.user + own.system)
        busy = user + nice + system + irq + softirq + steal
        return cls(busy, busy + idle + iowait, own.user + own.system)


def foreign_load(before: CpuTimes, after: CpuTimes, node: int, control: Control) -> float | None:
    """The largest share of any node's CPU time that was not this run's between two readings; None if not measured.

    All ranks call it together; ranks of one node add up to what is their own. Simulated nodes are one machine: the
    caller gives them one number.
    """
    spent = [after.busy - before.busy, after.total - before.total, after.own - before.own]
    rows = control.gather(torch.tensor([float(node), *spent], dtype=torch.float64)).tolist()
    shares = []
    for number in {row[0] for row in rows}:
        of_node = [row for row in rows if row[0] == number]
        total = max(row[2] for row in of_node)
        if total <= 0:
            return None
        busy, own = max(row[1] for row in of_node), sum(row[3] for row in of_node)
        shares.append(float(max(0.0, busy - own) / total))
    return max(shares)

"""How fast this machine is at the moment: a bar of processor time is to mean the same work everywhere.

Machines differ by a factor of two in the processor time of the same program, and so does one machine with what shares
its cores: the bars failed on such a machine with programs that had not changed. The yardstick is a program like those
that are measured, Python that runs most of its code once. It belongs to the lock: with another torch, measure it anew.
"""

import os
import subprocess
import sys

YARDSTICK = (sys.executable, "-c", "import torch, pandas, matplotlib.pyplot")
REFERENCE_S = 3.0
"""What it takes on the machine that the bars were set on, two cores of an Intel Xeon with nothing beside."""
MOST = 2.0
"""What is slower still fails the bars."""


def slowness(times: int = 3) -> float:
    """The processor time of the yardstick here over that of the reference machine, but 1 to MOST."""
    return min(max(1.0, min(_cpu_s() for _ in range(times)) / REFERENCE_S), MOST)


def _cpu_s() -> float:
    process = subprocess.Popen(YARDSTICK)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime

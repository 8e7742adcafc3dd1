"""Numbers and cells in words. Only here is a number rounded for print."""

from collections.abc import Sequence
from textwrap import shorten

from scalestudy.analysis.cells import CellRow
from scalestudy.spec.catalog import STRATEGIES

PHASE_WORDS = {
    "data_s": "waiting for data",
    "host_to_device_s": "copies from host to device",
    "forward_s": "forward pass",
    "backward_s": "backward pass",
    "communication_s": "exposed communication",
    "waiting_s": "waiting for the slowest device",
    "optimizer_s": "optimizer",
    "other_s": "time outside the named phases",
}


def configuration(row: CellRow, device_name: str) -> str:
    """A cell in words: ``DDP, 8 GPUs on 2 nodes``."""
    nodes = f" on {row.nodes} nodes" if row.nodes > 1 else ""
    return f"{STRATEGIES[row.strategy].title}, {devices(row.devices, device_name)}{nodes}"


def devices(count: int, device_name: str) -> str:
    """``1 GPU``, ``4 CPU cores``."""
    return f"{count} {device_name}{'' if count == 1 else 's'}"


def seconds(time_s: float) -> str:
    """Seconds to three or four significant digits, or milliseconds below a tenth of a second."""
    if time_s < 0.1:
        return f"{time_s * 1000:.3g} ms"
    return f"{time_s:.0f} s" if time_s >= 1000 else f"{time_s:.1f} s" if time_s >= 100 else f"{time_s:.2f} s"


def times(factor: float) -> str:
    """A factor: ``3.21×``."""
    return f"{factor:.2f}×"


def percent(fraction: float, digits: int = 0) -> str:
    """``84%``."""
    return f"{100 * fraction:.{digits}f}%"


def points(fraction: float) -> str:
    """A signed difference in percentage points: ``−0.43``. A difference that rounds to nothing has no sign."""
    text = f"{100 * fraction:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text.replace("-", "−")


def factor_interval(low: float | None, high: float | None) -> str:
    """``95% CI 3.10–3.32``, or that there is no interval."""
    return "no interval" if low is None or high is None else f"95% CI {low:.2f}–{high:.2f}"


def percent_interval(low: float | None, high: float | None, digits: int = 0) -> str:
    """``95% CI 84%–92%``, or that there is no interval."""
    if low is None or high is None:
        return "no interval"
    return f"95% CI {percent(low, digits)}–{percent(high, digits)}"


def counted(count: int, noun: str) -> str:
    """``1 run``, ``3 runs``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def plain(text: str) -> str:
    """Text of the user's or a job's, short enough for a sentence and free of the mark for bold."""
    return shorten(text.replace("**", "∗∗"), 90, placeholder=" …")


def enumeration(parts: Sequence[str]) -> str:
    """``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"

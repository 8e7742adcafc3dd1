"""How numbers are written in figures and in the terminal; template/numbers.typ holds the same rules for the PDF."""

import math
from collections.abc import Iterable

MINUS = "\u2212"
MISSING = "\u2013"
MOST_DECIMALS = 5


def decimals_for(values: Iterable[float | None]) -> int:
    """Decimals of a column: three significant digits of its smallest number, at most five decimals."""
    sizes = [abs(value) for value in values if value]
    return min(MOST_DECIMALS, max(0, 2 - math.floor(math.log10(min(sizes))))) if sizes else 0


def fixed(value: float | None, decimals: int) -> str:
    """With a fixed number of decimals, commas between thousands, a real minus sign (zero has none); a dash for None."""
    return MISSING if value is None else f"{value:z,.{decimals}f}".replace("-", MINUS)


def significant(value: float | None) -> str:
    """With three significant digits."""
    return fixed(value, decimals_for([value]))


def percent(share: float | None) -> str:
    """A share as a whole percentage."""
    return MISSING if share is None else f"{fixed(100 * share, 0)}%"


def interval(low: float | None, high: float | None, decimals: int) -> str:
    """``[low, high]``, or a dash where there is none."""
    return MISSING if low is None or high is None else f"[{fixed(low, decimals)}, {fixed(high, decimals)}]"

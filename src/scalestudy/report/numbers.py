"""How numbers are written in figures and in the terminal; template/numbers.typ holds the same rules for the PDF."""

import math
from collections.abc import Iterable

from scalestudy.analysis.language import ENGLISH, Language
from scalestudy.analysis.wording import decimals_of

MISSING = "\u2013"
MOST_DECIMALS = 5
LARGEST_WHOLE = 1e9
"""On an axis, a number from here on is written with its power of ten."""


def decimals_for(values: Iterable[float | None]) -> int:
    """Decimals of a column: three significant digits of its smallest number, at most five decimals."""
    sizes = [abs(value) for value in values if value]
    return min(MOST_DECIMALS, max(0, 2 - math.floor(math.log10(min(sizes))))) if sizes else 0


def fixed(value: float | None, decimals: int, language: Language = ENGLISH) -> str:
    """With a fixed number of decimals, marks between thousands, a real minus sign (zero has none); a dash for None."""
    return MISSING if value is None else language.number(f"{value:z,.{decimals}f}")


def significant(value: float | None, language: Language = ENGLISH) -> str:
    """With three significant digits."""
    return fixed(value, decimals_for([value]), language)


def factor_decimals(low: float | None, high: float | None, fewest: int = 2) -> int:
    """As many, for a factor and its interval, as it takes for no end that is not 1 to read as it."""
    return decimals_of((1.0,), fewest, low, high)


def factor(value: float | None, low: float | None, high: float | None, language: Language = ENGLISH) -> str:
    """A speedup or price with the decimals of its interval."""
    return fixed(value, factor_decimals(low, high), language)


def percent(share: float | None, language: Language = ENGLISH) -> str:
    """A share as a whole percentage."""
    return MISSING if share is None else fixed(100 * share, 0, language) + language.percent


def interval(low: float | None, high: float | None, decimals: int, language: Language = ENGLISH) -> str:
    """``[low, high]``, ``[low, ∞)`` where it is open above, or a dash where there is none."""
    if low is None:
        return MISSING
    end = "∞)" if high is None else f"{fixed(high, decimals, language)}]"
    return f"[{fixed(low, decimals, language)}{language.between}{end}"


def short(value: float, language: Language = ENGLISH) -> str:
    """For an axis: as few digits as say it."""
    whole = float(value).is_integer() and abs(value) < LARGEST_WHOLE
    return language.number(f"{value:z,.0f}" if whole else f"{value:g}")

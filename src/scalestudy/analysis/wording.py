"""Numbers and cells in words, in the report's language. Only here is a number rounded for a sentence."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import shorten
from typing import NamedTuple

from scalestudy.analysis.language import ENGLISH, Language
from scalestudy.records.base import OfCell
from scalestudy.records.report import Thresholds
from scalestudy.spec.catalog import STRATEGIES

LEVELS = Thresholds()
"""Of the intervals that sentences name."""
MOST_DECIMALS = 5
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
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


@dataclass(frozen=True)
class Wording:
    """How the sentences of one report are worded."""

    language: Language = ENGLISH
    device_name: str = "device"
    """What one device is called, in English."""
    titles: Mapping[str, str] = field(default_factory=dict)
    """What the entries of strategies are called, by the name that tables have for them."""
    simulated: Collection[tuple[str, str, str, int, int]] = ()
    """Keys (analysis/cells.py) of the cells whose nodes were processes of one machine."""

    def say(self, text: str, /, **values: object) -> str:
        """The phrase in the report's language, with the values in their places."""
        return self.language.say(text, **values)

    def configuration(self, row: OfCell) -> str:
        """A cell in words: ``DDP, 8 GPUs on 2 nodes``."""
        strategy, devices = self.strategy(row.strategy), self.devices(row.devices)
        if row.nodes == 1:
            return f"{strategy}, {devices}"
        return self.say("{it} on {nodes}", it=f"{strategy}, {devices}", nodes=self.nodes(row))

    def nodes(self, row: OfCell) -> str:
        """``2 nodes``, or ``2 simulated nodes``."""
        simulated = (row.workload, row.scaling, row.strategy, row.nodes, row.devices) in self.simulated
        return self.say("{nodes} simulated nodes" if simulated else "{nodes} nodes", nodes=row.nodes)

    def strategy(self, name: str) -> str:
        """What the entry is called; a strategy that no entry of the study names, as the catalog has it."""
        return self.titles.get(name) or STRATEGIES[name].title

    def devices(self, count: int) -> str:
        """``1 GPU``, ``4 CPU cores``."""
        return f"{self.number(count, 0)} {self.say(self.device_name if count == 1 else f'{self.device_name}s')}"

    def counted(self, count: int, noun: str) -> str:
        """``1 run``, ``3 runs``."""
        plural = f"{noun[:-1]}ies" if noun.endswith("gy") else f"{noun}s"
        return f"{self.number(count, 0)} {self.say(noun if count == 1 else plural)}"

    def number(self, value: float, decimals: int) -> str:
        """With so many decimals; a number that rounds to nothing has no sign."""
        return self.language.number(f"{value:z,.{decimals}f}")

    def seconds(self, time_s: float, *beside: float | None) -> str:
        """Three or four significant digits of seconds, or of milliseconds where all is below a tenth of a second.

        ``beside``: the ends of its interval; value and ends have one unit and one number of decimals, those that the
        largest of them has alone.
        """
        return _scale_of(time_s, *beside).write(self, time_s)

    def factor(self, factor: float, *ends: float | None) -> str:
        """A factor: ``3.21``, with as many decimals as the ends of its interval have."""
        return self.number(factor, decimals_of((1.0,), 2, *ends))

    def times(self, factor: float, *ends: float | None) -> str:
        """Likewise with its sign: ``3.21×``."""
        return self.factor(factor, *ends) + "×"

    def percent(self, fraction: float, digits: int = 0) -> str:
        """``84%``."""
        return self.number(100 * fraction, digits) + self.language.percent

    def percent_above(self, fraction: float, limit: float) -> str:
        """With as many digits as it takes to see that it lies above the limit: ``5.003%`` above ``5%``."""
        return self.percent(fraction, decimals_apart(100 * fraction, 100 * limit, 0))

    def signed_percent(self, fraction: float, digits: int = 1) -> str:
        """``+4.2%``, ``−4.0%``."""
        text = self.percent(fraction, digits)
        return text if fraction < 0 or not any(digit in "123456789" for digit in text) else f"+{text}"

    def points(self, fraction: float, margin: float, *ends: float | None) -> str:
        """A signed difference in percentage points: ``−0.43``, with as many decimals as the ends of its interval have.

        A difference that rounds to nothing has no sign.
        """
        shown = [100 * end for end in ends if end is not None]
        text = self.number(100 * fraction, decimals_of((-100 * margin, 100 * margin), 2, *shown))
        return text if fraction < 0 or not any(digit in "123456789" for digit in text) else f"+{text}"

    def factor_interval(self, low: float | None, high: float | None) -> str:
        """``95% CI 3.10–3.32``, or that there is none. No end that is not 1 is written as it: ``1.003–1.100``."""
        return self._interval(low, high, lambda end: self.factor(end, low, high))

    def percent_interval(self, low: float | None, high: float | None, digits: int = 0) -> str:
        """``95% CI 84%–92%``, or that there is no interval."""
        return self._interval(low, high, lambda end: self.percent(end, digits))

    def seconds_interval(self, time_s: float, low: float | None, high: float | None) -> str:
        """``95% CI 1.02–1.07 s`` beside the time that it is the interval of, or that there is none.

        ``95% CI 1.02 s or more`` where it is open above.
        """
        scale = _scale_of(time_s, low, high)
        return self._interval(low, high, lambda end: self.number(end * scale.factor, scale.decimals), scale.unit)

    def points_interval(self, low: float | None, high: float | None, margin: float) -> str:
        """``90% CI −0.54 to +0.31`` of a difference of accuracies in percentage points, or that there is none.

        No end that is not at the margin is written as if it were.
        """
        if low is None or high is None:
            return self.say("no interval")
        low_text, high_text = (self.points(end, margin, low, high) for end in (low, high))
        ends = {"low": low_text, "high": high_text}
        return self.say("{level} CI {low} to {high}", level=self.level(LEVELS.difference_interval), **ends)

    def level(self, fraction: float) -> str:
        """The level of an interval before its name: ``95%``."""
        return self.language.number(f"{100 * fraction:g}") + self.say("%")

    def _interval(self, low: float | None, high: float | None, write: Callable[[float], str], unit: str = "") -> str:
        if low is None:
            return self.say("no interval")
        if high is None:
            least = f"{write(low)} {unit}".rstrip()
            return self.say("{level} CI {low} or more", level=self.level(LEVELS.interval), low=least)
        text = "{level} CI {low} to {high}" if low < 0 else "{level} CI {low}–{high}"  # a dash beside a minus sign
        ends = self.say(text, level=self.level(LEVELS.interval), low=write(low), high=write(high))
        return f"{ends} {unit}" if unit else ends

    def error(self, value: float) -> str:
        """A small error, as the tables have it: ``2.0·10⁻¹⁶``."""
        if not value:
            return "0"
        digits, _, power = f"{value:.1e}".partition("e")
        return f"{self.language.number(digits)}·10{str(int(power)).translate(RAISED)}"

    def enumeration(self, parts: Sequence[str]) -> str:
        """``a, b and c``."""
        return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {self.say('and')} {parts[-1]}"


def decimals_apart(value: float, limit: float, fewest: int) -> int:
    """The fewest decimals, from so many on, with which a number that is not the limit is not written as it."""
    enough = (digits for digits in range(fewest, MOST_DECIMALS) if f"{value:z.{digits}f}" != f"{limit:z.{digits}f}")
    return fewest if value == limit else next(enough, MOST_DECIMALS)


def decimals_of(limits: Collection[float], fewest: int, *values: float | None) -> int:
    """As many for all of the values as it takes for none of them to be written as a limit that it is not."""
    known = [value for value in values if value is not None]
    return max((decimals_apart(value, limit, fewest) for value in known for limit in limits), default=fewest)


def plain(text: str) -> str:
    """Text of the user's or a job's, short enough for a sentence and free of the mark for bold."""
    return shorten(text.replace("**", "∗∗"), 90, placeholder=" …")


class _Scale(NamedTuple):
    """How times are written: unit, units per second, decimals."""

    unit: str
    factor: float
    decimals: int

    def write(self, wording: Wording, time_s: float) -> str:
        return f"{wording.number(time_s * self.factor, self.decimals)} {self.unit}"


def _scale_of(*times_s: float | None) -> _Scale:
    """The scale that suits the largest of the times, whatever its sign; none that is not zero is written as it."""
    known = [time_s for time_s in times_s if time_s is not None]
    scale = _scale_by(max(map(abs, known)))
    return scale._replace(decimals=decimals_of((0.0,), scale.decimals, *(time_s * scale.factor for time_s in known)))


def _scale_by(largest: float) -> _Scale:
    if not largest:
        return _Scale("ms", 1000, 0)
    exponent = int(f"{largest:.2e}".partition("e")[2])  # of the rounded number: 99.96 ms are 0.100 s
    if exponent < -1:
        return _Scale("ms", 1000, min(MOST_DECIMALS, -1 - exponent))
    return _Scale("s", 1, 3 if exponent < 0 else 2 if exponent < 2 else 1 if exponent < 3 else 0)

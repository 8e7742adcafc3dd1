"""Numbers and cells in words, in the report's language. Only here is a number rounded for a sentence."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import shorten

from scalestudy.analysis.language import ENGLISH, Language
from scalestudy.records.base import OfCell
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


@dataclass(frozen=True)
class Wording:
    """How the sentences of one report are worded."""

    language: Language = ENGLISH
    device_name: str = "device"
    """What one device is called, in English."""
    titles: Mapping[str, str] = field(default_factory=dict)
    """What the entries of strategies are called, by the name that tables have for them."""

    def say(self, text: str, /, **values: object) -> str:
        """The phrase in the report's language, with the values in their places."""
        return self.language.say(text, **values)

    def configuration(self, row: OfCell) -> str:
        """A cell in words: ``DDP, 8 GPUs on 2 nodes``."""
        strategy, devices = self.strategy(row.strategy), self.devices(row.devices)
        if row.nodes == 1:
            return f"{strategy}, {devices}"
        return self.say("{strategy}, {devices} on {nodes} nodes", strategy=strategy, devices=devices, nodes=row.nodes)

    def strategy(self, name: str) -> str:
        """What the entry is called; a strategy that no entry of the study names, as the catalog has it."""
        return self.titles.get(name) or STRATEGIES[name].title

    def devices(self, count: int) -> str:
        """``1 GPU``, ``4 CPU cores``."""
        return f"{count} {self.say(self.device_name if count == 1 else f'{self.device_name}s')}"

    def counted(self, count: int, noun: str) -> str:
        """``1 run``, ``3 runs``."""
        plural = f"{noun[:-1]}ies" if noun.endswith("gy") else f"{noun}s"
        return f"{self.number(count, 0)} {self.say(noun if count == 1 else plural)}"

    def number(self, value: float, decimals: int) -> str:
        """With so many decimals; a number that rounds to nothing has no sign."""
        return self.language.number(f"{value:z,.{decimals}f}")

    def seconds(self, time_s: float) -> str:
        """Seconds to three or four significant digits, or milliseconds below a tenth of a second."""
        if time_s < 0.1:
            return self.language.number(f"{time_s * 1000:.3g}") + " ms"
        return self.number(time_s, 0 if time_s >= 1000 else 1 if time_s >= 100 else 2) + " s"

    def times(self, factor: float) -> str:
        """A factor: ``3.21×``."""
        return self.number(factor, 2) + "×"

    def percent(self, fraction: float, digits: int = 0) -> str:
        """``84%``."""
        return self.number(100 * fraction, digits) + self.language.percent

    def signed_percent(self, fraction: float, digits: int = 1) -> str:
        """``+4.2%``, ``−4.0%``."""
        text = self.percent(fraction, digits)
        return text if fraction < 0 or not any(digit in "123456789" for digit in text) else f"+{text}"

    def points(self, fraction: float) -> str:
        """A signed difference in percentage points: ``−0.43``. A difference that rounds to nothing has no sign."""
        text = self.number(100 * fraction, 2)
        return text if fraction < 0 or not any(digit in "123456789" for digit in text) else f"+{text}"

    def factor_interval(self, low: float | None, high: float | None) -> str:
        """``95% CI 3.10–3.32``, or that there is no interval."""
        return self._interval(low, high, lambda value: self.number(value, 2))

    def percent_interval(self, low: float | None, high: float | None, digits: int = 0) -> str:
        """``95% CI 84%–92%``, or that there is no interval."""
        return self._interval(low, high, lambda value: self.percent(value, digits))

    def seconds_interval(self, low: float | None, high: float | None) -> str:
        """``95% CI 1.02 s–1.07 s``, or that there is no interval."""
        return self._interval(low, high, self.seconds)

    def _interval(self, low: float | None, high: float | None, write: Callable[[float], str]) -> str:
        if low is None or high is None:
            return self.say("no interval")
        return self.say("95% CI {low}–{high}", low=write(low), high=write(high))

    def error(self, value: float) -> str:
        """A small error: ``2.0e-16``."""
        return self.language.number(f"{value:.1e}").replace("\u2212", "-")

    def enumeration(self, parts: Sequence[str]) -> str:
        """``a, b and c``."""
        return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {self.say('and')} {parts[-1]}"


def plain(text: str) -> str:
    """Text of the user's or a job's, short enough for a sentence and free of the mark for bold."""
    return shorten(text.replace("**", "∗∗"), 90, placeholder=" …")

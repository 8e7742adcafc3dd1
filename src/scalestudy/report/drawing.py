"""How strategies look, and what a finished figure is; for those who need neither matplotlib nor its memory."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scalestudy.records.report import StrategyRow


@dataclass(frozen=True)
class Look:
    """How a strategy is drawn everywhere. Colors are Okabe and Ito's, which color-blind readers can tell apart."""

    color: str
    marker: str
    dash: str | tuple[int, tuple[float, ...]]
    filled: bool = True


LOOKS = {
    "serial": Look("#4d4d4d", "o", "-"),
    "data_parallel": Look("#d55e00", "s", "--"),
    "ddp": Look("#0072b2", "o", "-"),
    "hybrid": Look("#009e73", "^", "-.", filled=False),
    "hsdp": Look("#aa4a8a", "D", (0, (1, 1.2))),
}
OTHER_LOOK = Look("#8a6d00", "v", (0, (5, 1, 1, 1)))
FURTHER: tuple[tuple[str, tuple[int, tuple[float, ...]]], ...] = (
    ("X", (0, (4, 1.5))),
    ("P", (0, (3, 1, 1, 1))),
    ("<", (0, (6, 1, 1, 1, 1, 1))),
    (">", (0, (2, 1))),
    ("p", (0, (8, 2))),
    ("h", (0, (1, 2.4))),
)
"""Marker and dash of a strategy's further entries in a study, in turn: none that a strategy has itself."""


def looks_of(strategies: Sequence[StrategyRow]) -> dict[str, Look]:
    """How each entry of a study is drawn: with a label in its strategy's color, with another marker and dash."""
    found: dict[str, Look] = {}
    labeled: Counter[str] = Counter()
    for row in strategies:
        own = LOOKS.get(row.strategy or row.name, OTHER_LOOK)
        if row.strategy and row.name != row.strategy:
            marker, dash = FURTHER[labeled[row.strategy] % len(FURTHER)]
            own = replace(own, marker=marker, dash=dash, filled=True)
            labeled[row.strategy] += 1
        found[row.name] = own
    return found


@dataclass(frozen=True)
class Drawing:
    """A finished figure."""

    kind: str
    """``scaling``, ``curves``, ``breakdown`` or ``prediction``."""
    scaling: str
    """Empty for a figure about several."""
    form: str
    """What the caption has to explain, such as ``lines`` or ``intervals``."""
    svg: bytes
    alt: str
    """What it shows, for readers who cannot see it."""

    @property
    def name(self) -> str:
        """File name without ending."""
        return f"{self.kind}-{self.scaling}" if self.scaling else self.kind

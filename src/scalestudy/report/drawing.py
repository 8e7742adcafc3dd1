"""How strategies look, and what a finished figure is; for those who need neither matplotlib nor its memory."""

from dataclasses import dataclass


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

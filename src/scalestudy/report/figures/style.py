"""What all figures share: size, fonts, a color, marker and dash for each strategy, and how an SVG is written."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from scalestudy.analysis.language import LANGUAGES, Language
from scalestudy.records.base import OfCell
from scalestudy.records.report import ReportData, WorkloadFacts
from scalestudy.report.drawing import LOOKS, OTHER_LOOK, Look, looks_of
from scalestudy.report.printable import FONTS

WIDTH_IN = 6.38
"""Width of the text on the page, in inches: figures are drawn at their final size."""
NAME = 21
"""Letters that the name of a strategy has at most; the longest in any language has as many."""
GRAY, PALE, INK = "#4d4d4d", "#d9dce0", "#22242a"
SCALINGS = ("strong", "epoch", "weak")


def language_of(data: ReportData) -> Language:
    """The language of the report."""
    return LANGUAGES[data.words.language]


def look(data: ReportData, strategy: str) -> Look:
    """How the entry of a strategy is drawn."""
    return (LOOKS | looks_of(data.strategies)).get(strategy, OTHER_LOOK)


def scalings(data: ReportData) -> list[str]:
    """The scalings of the study in their fixed order."""
    found = {row.scaling for row in data.speedup} | {row.scaling for row in data.runs}
    return [name for name in SCALINGS if name in found]


def title_of(data: ReportData, strategy: str) -> str:
    """What figures call the entry of a strategy: its title or its label, which its color says the strategy of."""
    row = next((row for row in data.strategies if row.name == strategy), None)
    if row is None or row.name == row.strategy:
        return shorten(row.title if row else strategy, NAME)
    return shorten(row.title, NAME) if not row.strategy else _shorten_middle(row.name, 16)


def _shorten_middle(text: str, length: int) -> str:
    """Likewise with both ends kept, since names of one kind often differ in the last letters."""
    return text if len(text) <= length else f"{text[: length // 2 - 1]}…{text[-length // 2 :]}"


def workload_label(data: ReportData, facts: WorkloadFacts, length: int = 44) -> str:
    """Title of a workload for a panel; synthetic data are named as such."""
    mark = language_of(data).say("synthetic data")
    said = any(word in facts.title.lower() for word in ("synthetic", mark.lower()))
    suffix = f" ({mark})" if facts.data_synthetic and not said else ""
    return shorten(facts.title, length - len(suffix)) + suffix


def shorten(text: str, length: int) -> str:
    """At most so many characters on one line, with an ellipsis where something was left out."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def cell_label(data: ReportData, row: OfCell) -> str:
    """Strategy and layout, such as ``DDP 2×4``."""
    return f"{title_of(data, row.strategy)} {row.nodes}×{row.devices // max(row.nodes, 1)}"


@cache
def _register_fonts() -> None:
    for path in sorted(FONTS.glob("*.ttf")):
        fontManager.addfont(path)


RULES: Any = {
    "font.family": ["Source Sans 3", "DejaVu Sans"],
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.titleweight": 600,
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # where it is in any case: looking for what might be in its way takes a sixth of the time
    "axes.labelsize": 7.5,
    "axes.labelcolor": INK,
    "axes.labelpad": 2.5,
    "axes.edgecolor": "#777777",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "axes.unicode_minus": True,
    "xtick.color": GRAY,
    "ytick.color": GRAY,
    "text.color": INK,
    "text.parse_math": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "scalestudy",
    "path.simplify": False,
}
"""Matplotlib settings. Mathematics is off: a workload's title may hold a dollar sign."""


@contextmanager
def styled() -> Iterator[None]:
    """Matplotlib's defaults and then these rules, whatever the user's own matplotlibrc says."""
    _register_fonts()
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # DejaVu Sans has no weight 600
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(RULES)
        yield


def to_svg(figure: Figure) -> bytes:
    """The figure as SVG with text as text; the same bytes for the same figure."""
    FigureCanvasSVG(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return stream.getvalue()

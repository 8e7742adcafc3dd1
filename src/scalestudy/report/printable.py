"""Text that the report's fonts can print: what they lack is written as its code point, never dropped.

A PDF/A file may not hold a character without a glyph, so one emoji in a title would otherwise stop the report.
"""

import unicodedata
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from scalestudy.errors import StudyError
from scalestudy.records.report import ReportData

FONTS = Path(__file__).parent / "fonts"
_KEPT = {"\n", "\u00ad", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f"}
"""Line breaks and invisible characters that writing systems need."""
_UNSAFE = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}
"""Unicode categories that are shown by their code point: control, private, unassigned."""


def fallback_folder() -> Path:
    """The folder of DejaVu Sans, which comes with matplotlib: what the text fonts lack is taken from it.

    Found without importing it, which takes 25 MB that the process that sets the report has no other use for.
    """
    origin = find_spec("matplotlib")
    if origin is None or origin.origin is None:
        raise StudyError("matplotlib is not installed: the report takes a font from it")
    return Path(origin.origin).parent / "mpl-data" / "fonts" / "ttf"


@cache
def _glyphs() -> frozenset[int]:
    """Code points that the last font of every font list has, regular and bold."""
    from matplotlib.ft2font import FT2Font

    regular, bold = (FT2Font(str(fallback_folder() / f"DejaVuSans{weight}.ttf")) for weight in ("", "-Bold"))
    return frozenset(regular.get_charmap()) & frozenset(bold.get_charmap())


def printable_text(text: str) -> str:
    """The text with tabs as spaces and every character that cannot be printed as ``[U+XXXX]``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_printable(letter) for letter in text.replace("\r\n", "\n").expandtabs(4))


def _printable(letter: str) -> str:
    if letter in _KEPT:
        return letter
    if unicodedata.category(letter) in _UNSAFE or ord(letter) not in _glyphs():
        return f"[U+{ord(letter):04X}]"
    return letter


def printable(data: ReportData) -> ReportData:
    """The data with every string printable."""
    return ReportData.model_validate(_walk(data.model_dump()))


def _walk(value: Any) -> Any:
    if isinstance(value, str):
        return printable_text(value)
    if isinstance(value, dict):
        return {key: _walk(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_walk(item) for item in value]
    return value

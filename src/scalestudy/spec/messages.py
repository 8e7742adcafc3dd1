"""What is said of a mistake in the configuration: one line with the key, what was found, and what would be right."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from scalestudy.spec.yaml_text import show_text

Key = tuple[str | int, ...]
"""Where something stands: keys, and places in lists from 0."""


@dataclass(frozen=True)
class Problem:
    """One mistake: where it stands, and what is to be said of it."""

    key: Key
    text: str

    def line(self, source: str, overridden: Iterable[str] = ()) -> str:
        """The line that the user sees. Keys given on the command line are not looked for in the file."""
        origin = "--config" if self.key and self.key[0] in set(overridden) else source
        return f"{origin}: {show_key(self.key)}: {self.text}" if self.key else f"{origin}: {self.text}"


def show_key(key: Key) -> str:
    """``studies.quick.seeds[item 2]``."""
    parts = (f"[item {part + 1}]" if isinstance(part, int) else f".{_plain(part)}" for part in key)
    return "".join(parts).removeprefix(".")


def _plain(part: str) -> str:
    return part if re.fullmatch(r"[\w-]{1,60}", part) else show_text(part)


def show_value(value: Any) -> str:
    """A value as it stands in YAML, with its kind where that may be the mistake."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:.12g}" if isinstance(value, float) else str(value) if abs(value) < 10**15 else "a huge number"
    if isinstance(value, str):
        return f"{show_text(value)} (text)" if value else "empty text"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return "a mapping" if value else "an empty mapping"


def suggestion(found: str, valid: Sequence[str]) -> str:
    """``did you mean 'x'?``, or all that is valid when nothing is close."""
    close = difflib.get_close_matches(found, valid, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"must be {one_of(valid)}" if valid else "nothing may stand here"


def one_of(valid: Sequence[str]) -> str:
    """``one of a, b, c``."""
    return valid[0] if len(valid) == 1 else f"one of {', '.join(valid)}"


def not_one_of(found: str, kind: str, valid: Sequence[str]) -> str:
    """``found X, no KIND of that name; did you mean ...``, with all that is known."""
    hint = suggestion(found, valid)
    choices = "" if hint.startswith("must be") else f" Known: {one_of(valid).removeprefix('one of ')}."
    return f"found {show_text(found)}, no {kind} of that name; {hint}{choices}"

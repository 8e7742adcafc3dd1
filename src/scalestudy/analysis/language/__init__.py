"""The report's language: how numbers are written and what a phrase becomes. The English text is the phrase's key.

A language is a table of phrases (de.json) and an entry here; template/language/ has the prose of the PDF.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from string import Formatter
from typing import TypeVar

from pydantic import BaseModel

NUMBER = re.compile(r"-?\d+(\.\d+)?")
MORE = re.compile(r"(?P<line>.*) (?P<more>\(and \d+ more\))")


@dataclass(frozen=True)
class Language:
    """How a language writes numbers, and its phrases."""

    code: str
    """Of ISO 639-1, as ``report.language`` has it."""
    decimal: str = "."
    group: str = ","
    """Between thousands."""
    percent: str = "%"
    """The sign with the space before it, where there is one."""
    between: str = ", "
    """Between the ends of an interval in brackets."""
    phrases: Mapping[str, str] = field(default_factory=dict, repr=False)
    notes: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Those of the phrases that the rows of tables hold with their values already in them."""

    def say(self, text: str, /, **values: object) -> str:
        """The phrase in this language, with the values in their places; English where it was not translated.

        Whole numbers get their marks between thousands.
        """
        phrase = self.phrases.get(text, text)
        if not values:
            return phrase
        written = {
            name: self.number(f"{value:,}") if isinstance(value, int) else value for name, value in values.items()
        }
        return phrase.format_map(written)

    def render(self, text: str) -> str:
        """A finished English text: a phrase, or one with its values already in it; English where it is neither."""
        if text in self.phrases or not self.phrases:
            return self.say(text)
        for pattern, phrase in self.composed:
            if found := pattern.fullmatch(text):
                values = {name: self._value(value) for name, value in found.groupdict().items()}
                return phrase.format_map(values)
        return text

    def _value(self, text: str) -> str:
        """What stands in a place of a phrase: a number, a phrase in its turn, or a name that stays as it is."""
        number = text.removesuffix("%")
        if NUMBER.fullmatch(number):
            return number.replace(".", self.decimal) + (self.percent if number != text else "")
        return self.render(text)

    def reason(self, text: str) -> str:
        """A finished English reason, or several joined by semicolons; English where it is none of the program's."""
        if found := MORE.fullmatch(text):
            return f"{self.reason(found['line'])} {self.render(found['more'])}"
        whole = self.render(text)
        if whole != text or "; " not in text:
            return whole
        return "; ".join(map(self.reason, text.split("; ")))

    @cached_property
    def composed(self) -> list[tuple[re.Pattern[str], str]]:
        """The notes with values, as patterns that find the values again."""
        found = []
        for text, phrase in self.notes.items():
            names = [name for _, name, _, _ in Formatter().parse(text) if name]
            if names and len(set(names)) == len(names):
                parts = re.split(r"\{\w+\}", text)
                pattern = "".join(f"{re.escape(part)}(?P<{name}>.+)" for part, name in zip(parts, names, strict=False))
                found.append((re.compile(pattern + re.escape(parts[-1])), phrase))
        return found

    def number(self, text: str) -> str:
        """A number as Python writes it, ``-1,234.5``, with this language's marks and a real minus sign."""
        return text.translate({ord(","): self.group, ord("."): self.decimal, ord("-"): "\u2212"})


def _table(code: str) -> dict[str, dict[str, str]]:
    """The table of phrases in its parts, which but for the notes and reasons are for readers alone."""
    table: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / f"{code}.json").read_text(encoding="utf-8"))
    return table


def _german() -> Language:
    table = _table("de")
    phrases = {english: phrase for part in table.values() for english, phrase in part.items()}
    return Language(
        "de", ",", ".", percent="\u00a0%", between="; ", phrases=phrases, notes=table["reasons"] | table["notes"]
    )


ENGLISH = Language("en")
GERMAN = _german()
LANGUAGES = {language.code: language for language in (ENGLISH, GERMAN)}

M = TypeVar("M", bound=BaseModel)


def in_language(rows: Sequence[M], language: Language, *fields: str) -> list[M]:
    """The rows with the texts in these fields in the language."""
    if not language.phrases:
        return list(rows)
    return [row.model_copy(update={name: language.render(getattr(row, name)) for name in fields}) for row in rows]

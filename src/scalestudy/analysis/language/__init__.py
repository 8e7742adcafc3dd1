"""The report's language: how numbers are written and what a phrase becomes. The English text is the phrase's key.

A language is a table of phrases (de.json) and an entry here; template/language/ has the prose of the PDF.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel


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

    def say(self, text: str, /, **values: object) -> str:
        """The phrase in this language, with the values in their places; English where it was not translated."""
        phrase = self.phrases.get(text, text)
        return phrase.format_map(values) if values else phrase

    def number(self, text: str) -> str:
        """A number as Python writes it, ``-1,234.5``, with this language's marks and a real minus sign."""
        return text.translate({ord(","): self.group, ord("."): self.decimal, ord("-"): "\u2212"})


def _phrases(code: str) -> dict[str, str]:
    """The table of phrases, whose parts are for readers alone."""
    parts = json.loads((Path(__file__).parent / f"{code}.json").read_text(encoding="utf-8"))
    return {english: phrase for part in parts.values() for english, phrase in part.items()}


ENGLISH = Language("en")
GERMAN = Language("de", decimal=",", group=".", percent="\u00a0%", between="; ", phrases=_phrases("de"))
LANGUAGES = {language.code: language for language in (ENGLISH, GERMAN)}

M = TypeVar("M", bound=BaseModel)


def in_language(rows: Sequence[M], language: Language, *fields: str) -> list[M]:
    """The rows with the phrases in these fields in the language."""
    if not language.phrases:
        return list(rows)
    return [row.model_copy(update={name: language.say(getattr(row, name)) for name in fields}) for row in rows]

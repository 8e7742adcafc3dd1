"""What a check found."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's."""

    state: Literal["ok", "note", "wrong"]
    what: str
    text: str
    """What was found and, where that is wrong, what to do."""

    def __str__(self) -> str:
        return f"{self.state:5}  {self.what}: {self.text}"


def ok(what: str, text: str) -> Finding:
    """All is well."""
    return Finding("ok", what, text)


def note(what: str, text: str) -> Finding:
    """Worth knowing; a study can run all the same."""
    return Finding("note", what, text)


def wrong(what: str, text: str) -> Finding:
    """A study cannot run like this."""
    return Finding("wrong", what, text)

"""Finds prose in a Typst source: in its markup, however deep, and in strings that read as a text."""

import re
from collections.abc import Collection

WORDS = re.compile(r"[A-Za-z]{3,}[,:;]? [A-Za-z]{3,}")
STATEMENT = re.compile(r"(let|set|show|import|include|return|context|if|for|while)\b")
CLOSING = {"(": ")", "{": "}"}


class _Scanner:
    def __init__(self, source: str) -> None:
        self.source, self.at = source, 0
        self.texts: list[str] = []
        self.strings: list[str] = []

    def _rest(self) -> str:
        return self.source[self.at :]

    def _skip(self, pattern: str) -> bool:
        found = re.match(pattern, self._rest(), re.DOTALL)
        if found:
            self.at += found.end()
        return bool(found)

    def _comment(self) -> bool:
        return self._skip(r"//[^\n]*|/\*.*?\*/")

    def markup(self, closing: str) -> None:
        """Up to the closing bracket, which is taken too, or the end."""
        piece = ""
        while self.at < len(self.source):
            letter = self.source[self.at]
            if letter == closing:
                self.at += 1
                break
            if self._comment() or self._skip(r"\\(u\{\w+\}|.)|`[^`]*`|\$[^$]*\$|<[\w-]+>|@[\w-]+"):
                piece += " "
            elif letter == "#":
                self.texts.append(piece)
                piece = ""
                self.at += 1
                self._embedded()
            elif letter == "[":
                self.at += 1
                self.markup("]")
            else:
                piece += letter
                self.at += 1
        self.texts.append(piece)

    def _embedded(self) -> None:
        """Code in markup: a statement up to the end of its line, or an expression with its calls and contents."""
        if STATEMENT.match(self._rest()):
            self._code("\n")
            return
        self._skip(r"[\w-]+(\.[A-Za-z][\w-]*)*")
        while self.at < len(self.source) and self.source[self.at] in '([{"':
            self._item()
            self._skip(r"(\.[A-Za-z][\w-]*)+")

    def _code(self, closing: str) -> None:
        while self.at < len(self.source):
            if self.source[self.at] == closing:
                self.at += closing != "\n"
                return
            if closing == "\n" and self.source[self.at] == "]":  # the content that holds the statement ends
                return
            self._item()

    def _item(self) -> None:
        """One letter of code, or a whole string, content, bracket or comment."""
        letter = self.source[self.at]
        if self._comment():
            return
        if found := re.match(r'"((\\.|[^"\\])*)"', self._rest(), re.DOTALL):
            self.strings.append(found[1])
            self.at += found.end()
            return
        self.at += 1
        if letter == "[":
            self.markup("]")
        elif letter in CLOSING:
            self._code(CLOSING[letter])


def faults(source: str, known: Collection[str] = ()) -> list[str]:
    """Prose where only names and signs may stand: two words in a row, or a digit in markup; ``known`` strings may."""
    scanner = _Scanner(source)
    scanner.markup("")
    found = [text.strip() for text in scanner.texts if WORDS.search(text) or re.search(r"\d", text)]
    return found + [text for text in scanner.strings if WORDS.search(text) and text not in known]

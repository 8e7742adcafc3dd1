"""What Snakemake's HTML report says: labels of figures and tables, and the study's words as harmless RST."""

import unicodedata
from dataclasses import dataclass
from typing import Any

from scalestudy.analysis.language import LANGUAGES, Language
from scalestudy.records.report import Thresholds
from scalestudy.report import numbers
from scalestudy.spec.run import Study

FIGURES = {
    "scaling": "speedup and efficiency",
    "curves": "training loss",
    "breakdown": "where the device time goes",
    "prediction": "predicted efficiency",
}
TABLES = {
    "runs": "every planned run",
    "speedup": "times, speedups and efficiencies",
    "comparison": "strategies against each other",
    "mitigations": "effect of a strategy's options",
    "accuracy": "test accuracy",
    "equivalence": "equivalence of accuracies",
    "target": "time to accuracy",
    "epochs_to_target": "epochs to accuracy by global batch",
    "parity": "parity with serial training",
    "curves": "training loss by epoch",
    "phases": "device time by phase",
    "efficiency": "efficiency factors",
    "communication": "cost of communication",
    "probe": "ceilings of the machine",
    "allreduce": "all-reduce over message sizes",
    "links": "start-up and rate of the all-reduce",
    "fits": "scaling laws",
    "prediction": "predicted efficiency",
    "validation": "predictions against held-out cells",
    "compliance": "twelve rules of benchmarking",
    "exclusions": "runs that do not enter a number",
    "repeats": "repeats of each cell",
}
"""What each table of results/STUDY/tables holds."""


@dataclass(frozen=True)
class Labels:
    """Categories and labels in the language of the study's report."""

    study: Study

    @property
    def language(self) -> Language:
        """Of the report."""
        return LANGUAGES[self.study.report.language]

    @property
    def captions(self) -> str:
        """The folder of the captions in this language, from that of the rules."""
        return f"../captions/{self.language.code}"

    def say(self, text: str) -> str:
        """The phrase in this language."""
        return self.language.say(text)

    def of_report(self) -> dict[str, str]:
        """The PDF and its study."""
        return self._labels("the report", self.study.name)

    def of_figure(self, wildcards: Any) -> dict[str, str]:
        """What a figure shows and of which scaling."""
        kind, _, scaling = wildcards.figure.partition("-")
        return self._labels(FIGURES.get(kind, kind), self.say(f"{scaling} scaling" if scaling else "the study"))

    def of_table(self, wildcards: Any) -> dict[str, str]:
        """What a table holds."""
        return self._labels(TABLES.get(wildcards.table, wildcards.table), f"{wildcards.table}.csv")

    def _labels(self, part: str, of: str) -> dict[str, str]:
        """What stands in the columns of the HTML report, below their heads."""
        return {self.say("part"): self.say(part), self.say("of"): of}


def words(study: Study) -> dict[str, str]:
    """The study's name, title, subtitle, authors and course, each as one line of literal RST; missing ones are said.

    ``level``: that of the intervals, from where the PDF has it and as the PDF writes it.
    """
    given, language = study.report, LANGUAGES[study.report.language]
    say = language.say
    return {
        "study": study.name,  # a plain name: letters, digits and _
        "title": literal(given.title) or say("Scaling study {name}", name=study.name),
        "subtitle": literal(given.subtitle),
        "authors": literal(", ".join(given.authors)) or say("No authors were named"),
        "course": literal(given.course),
        "level": numbers.percent(Thresholds().interval, language),
    }


def literal(text: str) -> str:
    """The text on one line, so that reStructuredText prints it as it is: every sign of ASCII behind a backslash."""
    line = " ".join("".join(map(_visible, text)).split())
    return "".join(letter if letter == " " or not letter.isascii() else f"\\{letter}" for letter in line)


def _visible(letter: str) -> str:
    """Control characters and surrogates by their code point."""
    if letter.isspace():
        return " "
    return f"[U+{ord(letter):04X}]" if unicodedata.category(letter) in {"Cc", "Cs", "Cn"} else letter

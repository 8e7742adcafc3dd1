"""What Snakemake's HTML report says: labels of figures and tables, and the study's words as harmless RST."""

import unicodedata
from typing import Any

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
    "links": "latency and bandwidth",
    "fits": "scaling laws",
    "prediction": "predicted efficiency",
    "validation": "predictions against held-out cells",
    "compliance": "twelve rules of benchmarking",
    "exclusions": "runs that do not enter a number",
    "repeats": "repeats of each cell",
}
"""What each table of results/STUDY/tables holds."""


def figure_labels(wildcards: Any) -> dict[str, str]:
    """What a figure shows and of which scaling."""
    kind, _, scaling = wildcards.figure.partition("-")
    return {"part": FIGURES.get(kind, kind), "of": f"{scaling} scaling" if scaling else "the study"}


def table_labels(wildcards: Any) -> dict[str, str]:
    """What a table holds."""
    return {"part": TABLES.get(wildcards.table, wildcards.table), "of": f"{wildcards.table}.csv"}


def words(study: Study) -> dict[str, str]:
    """The study's name, title, subtitle, authors and course, each as one line of literal RST; missing ones are said."""
    given = study.report
    return {
        "study": study.name,  # a plain name: letters, digits and _
        "title": literal(given.title) or f"Scaling study {study.name}",
        "subtitle": literal(given.subtitle),
        "authors": literal(", ".join(given.authors)) or "No authors were named",
        "course": literal(given.course),
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

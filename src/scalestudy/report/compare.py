"""Two studies side by side in the terminal: tables with rich, or plain tab-separated lines into a pipe."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scalestudy.analysis.compare import CellComparison, StudyComparison
from scalestudy.errors import StudyError
from scalestudy.records.files import is_there
from scalestudy.records.paths import StudyPaths, results_of
from scalestudy.report import numbers

if TYPE_CHECKING:
    from rich.console import Console

COLUMNS = ("Strategy", "Layout", "n", "A s", "B s", "Ratio", "Interval", "Verdict")
PLAIN_COLUMNS = (
    *("workload", "scaling", "strategy", "nodes", "devices", "n", "other_n"),
    *("time_s", "other_time_s", "ratio", "low", "high", "verdict"),
)
NUMERIC = frozenset({"n", "A s", "B s", "Ratio"})
STYLES = {"faster": "green", "slower": "red", "missing": "yellow", "not computed": "yellow", "not separated": ""}


def print_comparison(found: StudyComparison, names: Sequence[str], console: "Console | None" = None) -> None:
    """Print the cells, what differs around them, and a summary. ``names``: of the two studies."""
    if console is None and not sys.stdout.isatty():
        print("\t".join(PLAIN_COLUMNS))
        for row in found.cells:
            print("\t".join(_plain_cells(row)))
    else:
        _print_tables(found.cells, names, console)
    for row in found.cells:
        if row.note and row.verdict != "missing":
            print(f"{row.cell.workload} {row.cell.scaling} {row.cell.strategy} {_layout(row)}: {row.note}")
    for difference in found.differences:
        before, after = difference.first or "not recorded", difference.second or "not recorded"
        print(f"differs: {difference.item}: {before} -> {after}")
    verdicts = [row.verdict for row in found.cells]
    counts = [f"{verdicts.count(verdict)} {verdict}" for verdict in STYLES if verdict in verdicts]
    print(f"{names[1]} against {names[0]}: {', '.join(counts) or 'no cell'}")


def _print_tables(cells: Sequence[CellComparison], names: Sequence[str], console: "Console | None") -> None:
    """One table for each workload and scaling."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    out = console or Console(highlight=False)
    out.print(Text(f"Epoch times of {names[1]} (B) over {names[0]} (A); simultaneous 95% intervals"))
    for group in dict.fromkeys((row.cell.workload, row.cell.scaling) for row in cells):
        title = Text(f"{group[0]}, {group[1]} scaling")
        table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, padding=(0, 1, 0, 0))
        for name in COLUMNS:
            table.add_column(name, justify="right" if name in NUMERIC else "left", no_wrap=True)
        for row in cells:
            if (row.cell.workload, row.cell.scaling) == group:
                table.add_row(*(Text(cell) for cell in _cells(row)), style=STYLES[row.verdict] or None)
        out.print(table)


def _cells(row: CellComparison) -> tuple[str, ...]:
    decimals = numbers.factor_decimals(row.low, row.high, 3)
    return (
        row.cell.strategy,
        _layout(row),
        str(row.n) if row.n == row.other_n else f"{row.n}, {row.other_n}",
        numbers.significant(row.time_s),
        numbers.significant(row.other_time_s),
        numbers.fixed(row.ratio, decimals),
        "" if row.low is None or row.high is None else f"{row.low:.{decimals}f} to {row.high:.{decimals}f}",
        row.verdict,
    )


def _plain_cells(row: CellComparison) -> list[str]:
    """For a program to read: whole numbers, empty where there is none."""
    values = (*row.cell, row.n, row.other_n, row.time_s, row.other_time_s, row.ratio, row.low, row.high, row.verdict)
    return ["" if value is None else str(value) for value in values]


def _layout(row: CellComparison) -> str:
    return f"{row.cell.nodes}x{row.cell.devices // max(1, row.cell.nodes)}"


def report_path(study: str) -> Path:
    """report.json of a study given by name, by its folder below results, or as the file itself.

    Raises StudyError where there is no such study, or it was not analyzed yet.
    """
    given = Path(study)
    if is_there(given) and not given.is_dir():
        return given
    path = StudyPaths(results_of(study)).report
    if not is_there(path):
        raise StudyError(f"{path}: is written when the study is finished; scalestudy show {study} tells how far it is")
    return path

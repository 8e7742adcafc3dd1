"""The study's numbers in the terminal: tables with rich, and the lines that a finished workflow ends with."""

import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from scalestudy.records.files import read_model
from scalestudy.records.paths import StudyPaths
from scalestudy.records.report import ReportData, SpeedupRow
from scalestudy.report import numbers

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

COLUMNS = ("Strategy", "Layout", "n", "Epoch s", "Speedup", "95% interval", "Eff.", "Images/s")
WIDTH = 79
SCALING_TITLES = {"strong": "strong scaling", "epoch": "epoch scaling", "weak": "weak scaling"}


def show(results: Path, console: "Console | None" = None) -> None:
    """Print the speedup tables and the headline figures of ``results/STUDY``.

    Raises StudyError when report.json is missing or damaged.
    """
    from rich.console import Console

    data = read_model(StudyPaths(results).report, ReportData)
    out = console or Console(highlight=False, soft_wrap=False)
    for workload, scaling in dict.fromkeys((row.workload, row.scaling) for row in data.speedup):
        rows = [row for row in data.speedup if (row.workload, row.scaling) == (workload, scaling)]
        out.print(_table(data, f"{_workload_title(data, workload)}, {SCALING_TITLES.get(scaling, scaling)}", rows))
        for row in rows:
            if row.note and row.speedup is not None and row.strategy != "serial":
                out.print(f"  {_title(data, row.strategy)} {_layout(row)}: {row.note}", markup=False)
        out.print()
    if not data.speedup:
        out.print("No cell has been analyzed.")
    out.print(headline_text(data), markup=False, highlight=False)


def headline_text(data: ReportData, report: Path | None = None) -> str:
    """A few lines: what became of the runs, the headline figures, and where the report is."""
    counts = data.counts
    others = [f"{number} {word}" for word in ("failed", "missing") if (number := getattr(counts, word))]
    wrong = sum(not row.passed for row in data.parity)
    others += [f"{wrong} parity checks FAILED"] if wrong else []
    lines = [f"Study {data.study}: " + ", ".join([f"{counts.completed} of {counts.planned} runs completed", *others])]
    for row in data.headlines:
        parts = [part for part in (row.interval, row.detail) if part]
        line = f"{row.label}: {row.value}" + (f" ({'; '.join(parts)})" if parts else "")
        lines.append(textwrap.fill(line, WIDTH, initial_indent="  ", subsequent_indent="    "))
    if not data.headlines:
        lines.append("  No speedup can be reported.")
    return "\n".join(lines + ([f"Report: {report}"] if report else []))


def _title(data: ReportData, strategy: str) -> str:
    return next((row.title for row in data.strategies if row.name == strategy), strategy)


def _workload_title(data: ReportData, name: str) -> str:
    facts = next((row for row in data.workloads if row.name == name), None)
    if facts is None:
        return name
    return facts.title + (
        " (synthetic data)" if facts.data_synthetic and "synthetic" not in facts.title.lower() else ""
    )


def _layout(row: SpeedupRow) -> str:
    return f"{row.nodes}×{row.devices // max(row.nodes, 1)}"


def _table(data: ReportData, title: str, rows: Iterable[SpeedupRow]) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    table = Table(
        box=box.SIMPLE_HEAD, title=Text(title), title_justify="left", title_style="bold", pad_edge=False, padding=(0, 1)
    )
    for name in COLUMNS:
        wide = name in {"Strategy", "95% interval"}
        table.add_column(name, justify="left" if wide else "right", no_wrap=not wide)
    times = numbers.decimals_for(row.time_s for row in rows)
    for row in rows:
        cells = (
            _title(data, row.strategy),
            _layout(row),
            str(row.n),
            numbers.fixed(row.time_s, times),
            numbers.fixed(row.speedup, 2),
            _interval(row),
            numbers.percent(row.efficiency),
            numbers.significant(row.images_per_s),
        )
        table.add_row(*(Text(cell) for cell in cells), style="bold" if row.fastest else None)
    return table


def _interval(row: SpeedupRow) -> str:
    """The interval, or in its place the word for why there is none."""
    if row.speedup is None:
        return row.note or "no speedup"
    if row.strategy == "serial":
        return "baseline"
    return numbers.interval(row.speedup_low, row.speedup_high, 2) if row.speedup_low is not None else f"n = {row.n}"

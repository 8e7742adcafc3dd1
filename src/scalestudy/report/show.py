"""The study's numbers in the terminal: tables with rich, and the lines that a finished workflow ends with."""

import textwrap
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from scalestudy.analysis.scaling_rows import of_scaling
from scalestudy.records.files import is_there, read_model
from scalestudy.records.paths import StudyPaths
from scalestudy.records.report import ReportData, SpeedupRow
from scalestudy.report import numbers

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

COLUMNS = ("Strategy", "Layout", "n", "Epoch s", "Speedup", "95% interval", "Eff.", "Images/s")
WIDTH = 79
FEWEST_LAYOUTS, MOST_LAYOUTS = 2, 8
"""Numbers of layouts for which efficiencies are also shown side by side; more do not fit the line."""
SCALING_TITLES = {"strong": "strong scaling", "epoch": "epoch scaling", "weak": "weak scaling"}


def present(results: Path) -> ReportData:
    """The report of what ``results/STUDY`` holds at this moment, in English; runs still to come count as missing.

    Without a plan, as where only the tables were copied to, report.json is read. Raises StudyError when there is
    neither.
    """
    paths = StudyPaths(results)
    if not is_there(paths.study) and is_there(paths.report):
        return read_model(paths.report, ReportData)
    from scalestudy.analysis.analyze import report_data
    from scalestudy.analysis.collect import collect

    collection = collect(results)
    words = collection.study.report.model_copy(update={"language": "en"})
    return report_data(replace(collection, study=collection.study.model_copy(update={"report": words})))


def show(results: Path, console: "Console | None" = None) -> None:
    """Print the speedup and efficiency tables and the headline figures of ``results/STUDY``, of the runs so far.

    Raises StudyError when the study was not planned.
    """
    from rich.console import Console

    data = present(results)
    out = console or Console(highlight=False, soft_wrap=False)
    for workload, scaling in dict.fromkeys((row.workload, row.scaling) for row in data.speedup):
        rows = [row for row in of_scaling(data.speedup, scaling) if row.workload == workload]
        out.print(_table(data, f"{_workload_title(data, workload)}, {SCALING_TITLES.get(scaling, scaling)}", rows))
        if (matrix := _efficiencies(data, rows)) is not None:
            out.print(matrix)
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
    lines += _failures(data)
    if report and report.is_file():
        html = report.with_suffix(".html")
        lines += [f"Report: {report}" + (f", with {html.name} beside it" if html.is_file() else "")]
    return "\n".join(lines)


def analyzed(results: Path) -> ReportData:
    """The report of a study as it was last analyzed; where there is none yet, or no English one, that of ``present``.

    Raises StudyError as that does.
    """
    path = StudyPaths(results).report
    report = read_model(path, ReportData) if is_there(path) else None
    return report if report and report.words.language == "en" else present(results)


def _failures(data: ReportData) -> list[str]:
    """Each reason for which runs failed, and what to do then."""
    reasons = Counter(row.reason for row in data.runs if row.outcome == "failed")
    if not reasons:
        return []
    lines = [f"  {number} failed: {reason or 'no reason was recorded'}" for reason, number in reasons.most_common(3)]
    return [*lines, f"  When the cause is mended: scalestudy retry {data.study}, then run the workflow again."]


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
        box=box.SIMPLE_HEAD,
        title=Text(title),
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        padding=(0, 1, 0, 0),
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
            numbers.factor(row.speedup, row.speedup_low, row.speedup_high),
            _interval(row, data.thresholds.runs),
            numbers.percent(row.efficiency),
            numbers.significant(row.images_per_s),
        )
        table.add_row(*(Text(cell) for cell in cells), style="bold" if row.fastest else None)
    return table


def _efficiencies(data: ReportData, rows: Iterable[SpeedupRow]) -> "Table | None":
    """Efficiency of each strategy by layout; None with one layout, where the table above says all."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    known = {(row.strategy, _layout(row)): row.efficiency for row in rows if row.strategy != "serial"}
    layouts = list(dict.fromkeys(_layout(row) for row in sorted(rows, key=lambda row: (row.devices, row.nodes))
                                 if row.strategy != "serial"))  # fmt: skip
    if len(layouts) < FEWEST_LAYOUTS or len(layouts) > MOST_LAYOUTS:
        return None
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("Efficiency")
    for layout in layouts:
        table.add_column(layout, justify="right")
    for strategy in dict.fromkeys(name for name, _ in known):
        cells = [numbers.percent(known.get((strategy, layout))) for layout in layouts]
        table.add_row(Text(_title(data, strategy)), *cells)
    return table


def _interval(row: SpeedupRow, fewest: int) -> str:
    """The interval, or in its place the word for why there is none: too few runs of the cell, or else of its base."""
    if row.speedup is None:
        return row.note or "no speedup"
    if row.strategy == "serial":
        return "baseline"
    if row.speedup_low is not None:
        low, high = row.speedup_low, row.speedup_high
        return numbers.interval(low, high, numbers.factor_decimals(low, high))
    return f"n = {row.n}" if row.n < fewest else f"base: n < {fewest}"

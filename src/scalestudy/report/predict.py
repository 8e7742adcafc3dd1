"""Predictions in the terminal: a table with rich, or plain tab-separated lines into a pipe."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from scalestudy.analysis.ask import Answer
from scalestudy.records.findings import Refusal
from scalestudy.report import numbers

if TYPE_CHECKING:
    from rich.console import Console

COLUMNS = ("Workload", "Scaling", "Strategy", "All-reduce", "Devices", "Step", "Efficiency", "Simulated", "Checked")
PLAIN_COLUMNS = (
    *("workload", "scaling", "strategy", "algorithm", "devices", "step_s", "efficiency", "low", "high"),
    *("fitted_devices", "network", "worst_error"),
)


def print_answers(answers: Sequence[Answer], refused: Sequence[Refusal], console: "Console | None" = None) -> None:
    """Print the predictions, where their network comes from, and for which strategies there are none."""
    if console is None and not sys.stdout.isatty():
        print("\t".join(PLAIN_COLUMNS))
        for row in answers:
            values = [getattr(row, column) for column in PLAIN_COLUMNS]
            print("\t".join("" if value is None else str(value) for value in values))
    else:
        _print_table(answers, console)
        for network in dict.fromkeys(row.network for row in answers):
            print(f"network: {network}")
        print("simulated: 95% of the studies drawn from the measured inputs; the model's own error is not in it")
    for one in refused:
        print(f"not predicted: {one.workload} {one.scaling} {one.strategy}: {one.reason}")


def _print_table(answers: Sequence[Answer], console: "Console | None") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for name in COLUMNS:
        table.add_column(name, justify="right" if name in ("Devices", "Step", "Efficiency") else "left")
    for row in answers:
        checked = "not checked" if row.worst_error is None else f"off by up to {row.worst_error:.1%}"
        cells = (
            row.workload,
            row.scaling,
            row.strategy,
            row.algorithm,
            f"{row.devices:,}",
            f"{numbers.significant(1000 * row.step_s)} ms",
            f"{row.efficiency:.1%}",
            f"{row.low:.1%} to {row.high:.1%}",
            checked,
        )
        table.add_row(*(Text(cell) for cell in cells))
    (console or Console(highlight=False)).print(table)

"""What the template prints of the runs, counted and written out: Typst keeps every call of its own functions.

Filtering and formatting 1,000 runs in the template took 200 MB.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from scalestudy.analysis.language import LANGUAGES, Language
from scalestudy.records.report import ReportData, RunRow
from scalestudy.report import numbers

MOST_LINES = 8
"""Of runs in one row of the table of all runs."""
LONGEST = 44
"""Letters of a name that fits its line."""
DIGEST = 8
"""Digits of a digest that are printed."""


def run_facts(data: ReportData) -> dict[str, Any]:
    """``count``; ``blocks``: the table of all runs; ``planned`` and ``seeds`` by workload; ``scalings``; ``grid``:
    completed of planned runs by strategy and layout; ``lost``: the runs that did not complete or were resumed;
    ``recorded``: whether any says where it ran; ``timed``: how many completed ones say how long they took.
    """
    runs = data.runs
    return {
        "count": len(runs),
        "blocks": _blocks(data),
        "planned": Counter(row.workload for row in runs),
        "seeds": {name: sorted({row.seed for row in runs if row.workload == name}) for name in _workloads(runs)},
        "scalings": sorted({row.scaling for row in runs}),
        "grid": _grid(runs),
        "lost": [
            {"run": row.run, "outcome": row.outcome, "resumed": row.resumed, "reason": row.reason}
            for row in runs
            if row.outcome != "completed" or row.resumed
        ],
        "recorded": any(row.host for row in runs),
        "timed": sum(row.outcome == "completed" and row.total_s is not None for row in runs),
    }


def _workloads(runs: Sequence[RunRow]) -> list[str]:
    return list(dict.fromkeys(row.workload for row in runs))


def _grid(runs: Sequence[RunRow]) -> dict[str, Any]:
    """Layouts by number of devices, and of each strategy the cells below them; empty: nothing was planned."""
    places = sorted({(row.devices, row.nodes) for row in runs})
    planned = Counter((row.strategy, row.devices, row.nodes) for row in runs)
    done = Counter((row.strategy, row.devices, row.nodes) for row in runs if row.outcome == "completed")
    strategies = dict.fromkeys(row.strategy for row in runs)
    return {
        "layouts": [f"{nodes}×{devices // max(nodes, 1)}" for devices, nodes in places],
        "rows": [
            [name, [f"{done[name, *at]}/{planned[name, *at]}" if planned[name, *at] else "" for at in places]]
            for name in strategies
        ],
    }


def _blocks(data: ReportData) -> list[dict[str, Any]]:
    """The rows of the table of all runs: up to MOST_LINES neighboring runs that completed, one line each in every
    column, or one run that did not, or whose name is too long for a line.
    """
    language, blocks = LANGUAGES[data.words.language], list[dict[str, Any]]()
    decimals = {
        facts.name: _decimals([row for row in data.runs if row.workload == facts.name]) for facts in data.workloads
    }
    for row in data.runs:
        if row.outcome != "completed":
            blocks.append({"runs": 0, "run": row.run, "outcome": row.outcome, "reason": row.reason})
            continue
        cells = _cells(row, decimals.get(row.workload, (3, 3, 3)), language)
        if len(row.run) > LONGEST:
            blocks.append({"runs": 0, "run": row.run, "outcome": "completed", "cells": cells[1:]})
        elif blocks and 0 < blocks[-1]["runs"] < MOST_LINES:
            blocks[-1]["runs"] += 1
            for column, cell in zip(blocks[-1]["cells"], cells, strict=True):
                column.append(cell)
        else:
            blocks.append({"runs": 1, "cells": [[cell] for cell in cells]})
    return blocks


def _decimals(runs: Sequence[RunRow]) -> tuple[int, int, int]:
    """Of the times of a workload's runs: the same down the column."""
    columns = zip(*((row.epoch_time_s, row.startup_s, row.total_s) for row in runs), strict=True)
    epoch, startup, total = map(numbers.decimals_for, columns) if runs else (0, 0, 0)
    return epoch, startup, total


def _cells(row: RunRow, decimals: tuple[int, int, int], language: Language) -> list[str]:
    accuracy = None if row.accuracy is None else 100 * row.accuracy
    memory = None if row.peak_memory_bytes is None else row.peak_memory_bytes / 2**20
    load = None if row.foreign_load is None else 100 * row.foreign_load
    return [
        row.run,
        *(
            numbers.fixed(time_s, digits, language)
            for time_s, digits in zip((row.epoch_time_s, row.startup_s, row.total_s), decimals, strict=True)
        ),
        numbers.fixed(row.images_per_s, 0, language),
        numbers.fixed(accuracy, 2, language),
        numbers.fixed(memory, 0, language),
        numbers.fixed(load, 1, language),
        row.weights_sha256[:DIGEST],
    ]

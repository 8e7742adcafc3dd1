"""Where the single runs of a cell lie, for the faint dots."""

from scalestudy.records.report import ReportData, SpeedupRow

Runs = dict[tuple[str, str, int, int], list[float]]
"""Epoch times of the completed runs of one scaling, by workload, strategy, nodes and devices."""


def epoch_times(data: ReportData, scaling: str) -> Runs:
    """The epoch times of all completed runs of a scaling that enter the numbers."""
    times: Runs = {}
    for run in data.runs:
        if run.scaling == scaling and run.outcome == "completed" and run.epoch_time_s and not run.excluded:
            times.setdefault((run.workload, run.strategy, run.nodes, run.devices), []).append(run.epoch_time_s)
    return times


def run_speedups(runs: Runs, row: SpeedupRow) -> list[float]:
    """Where the single runs of a cell lie against the base; under weak scaling scaled by the devices."""
    work = row.devices if row.scaling == "weak" else 1
    times = runs.get((row.workload, row.strategy, row.nodes, row.devices), [])
    return [row.base_time_s / time_s * work for time_s in times] if row.base_time_s else []

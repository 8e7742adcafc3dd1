"""Adaptive repeats: which runs of a study are wanted, and which of them do not enter the numbers.

Everything is decided from the records alone: the same records want the same runs, in whatever order they came in and
however often the workflow was started.
"""

from collections.abc import Iterable, Mapping, Sequence

from scalestudy.analysis.load import LOAD_LIMIT, is_loaded
from scalestudy.analysis.statistics import SMALLEST_N, summarize
from scalestudy.records.findings import RepeatRow
from scalestudy.records.report import RunRow
from scalestudy.spec.repeats import RepeatsSpec
from scalestudy.spec.run import Run, Study


def first_runs(study: Study) -> list[str]:
    """The runs that are wanted before any has run, in the order of the plan."""
    if study.repeats is None:
        return [run.id for run in study.runs]
    first = {run.id for runs in _cells(study.runs) for run in runs[: study.repeats.min]}
    return [run.id for run in study.runs if run.id in first]


def wanted_runs(study: Study, rows: Mapping[str, RunRow]) -> list[str]:
    """The runs that are wanted as things stand, in the order of the plan, with all that ran already.

    ``rows`` holds a row of every run of the study, by its id. A cell gets one run more as long as all of its runs so
    far are over and do not suffice.
    """
    if study.repeats is None:
        return first_runs(study)
    wanted = {run for run, row in rows.items() if row.outcome != "missing"}
    for runs in _cells(study.runs):
        own = [rows[run.id] for run in runs]
        wanted |= {row.run for row in own[: wanted_of_cell(own, study.repeats)]}
    return [run.id for run in study.runs if run.id in wanted]


def exclusions(study: Study, rows: Iterable[RunRow]) -> dict[str, str]:
    """Completed runs that do not enter the numbers, with the reason: those under foreign load that were repeated.

    Only adaptive repeats replace a run, and only once the cell has as many without that load as the study asks for.
    """
    if study.repeats is None:
        return {}
    cells: dict[tuple[str, ...], list[RunRow]] = {}
    for row in rows:
        cells.setdefault(_cell_of(row.run), []).append(row)
    replaced = [row for own in cells.values() if len(_unloaded(own)) >= study.repeats.min for row in own]
    reason = f"other programs took more than {LOAD_LIMIT:.0%} of the machine; it was repeated"
    return {row.run: reason for row in replaced if is_loaded(row)}


def repeat_rows(study: Study, rows: Sequence[RunRow]) -> list[RepeatRow]:
    """One row per cell, in the order of the plan. ``rows`` are the wanted runs."""
    cells: dict[tuple[str, ...], list[RunRow]] = {}
    for row in rows:
        cells.setdefault(_cell_of(row.run), []).append(row)
    return [_repeat_row(own, study.repeats) for own in cells.values()]


def _repeat_row(own: Sequence[RunRow], repeats: RepeatsSpec | None) -> RepeatRow:
    first, width = own[0], _half_width(_unloaded(own))
    state = "fixed"
    if repeats is not None:
        ended = len(own) >= repeats.max
        # Runs that came after those that sufficed, such as one that was tried again, undo nothing.
        sufficed = any(_suffices(own[:count], repeats) for count in range(repeats.min, len(own) + 1))
        reached = sufficed or (ended and _is_narrow(_unloaded(own), repeats))
        state = "reached" if reached else "at most" if ended else "running"
    return RepeatRow.model_validate(
        {
            **{key: getattr(first, key) for key in ("workload", "scaling", "strategy", "nodes", "devices")},
            "n": len(_unloaded(own)),
            "runs": len(own),
            "half_width": width,
            "target": repeats.until_ci if repeats else None,
            "state": state,
        }
    )


def wanted_of_cell(own: Sequence[RunRow], repeats: RepeatsSpec) -> int:
    """How many of a cell's runs, in the order of their seeds."""
    for count in range(repeats.min, repeats.max):
        over = all(row.outcome != "missing" for row in own[:count])
        if not over or _suffices(own[:count], repeats):
            return count
    return repeats.max


def _suffices(own: Sequence[RunRow], repeats: RepeatsSpec) -> bool:
    """Whether the runs without foreign load are enough, and their interval narrow enough.

    With few runs an interval is often narrow by chance, and stopping there would keep it: one run more, which has no
    say in it, brings it back to its level (docs/statistics.md; G. Simons, On the cost of not knowing the variance when
    making a fixed-width confidence interval for the mean, Annals of Mathematical Statistics 39, 1968).
    """
    unloaded = _unloaded(own)
    return _is_narrow(unloaded[:-1] if repeats.confirms else unloaded, repeats)


def _is_narrow(unloaded: Sequence[RunRow], repeats: RepeatsSpec) -> bool:
    width = _half_width(unloaded)
    return len(unloaded) >= max(repeats.min, SMALLEST_N) and width is not None and width <= repeats.until_ci


def _half_width(rows: Sequence[RunRow]) -> float | None:
    """Half the 95 % interval of the epoch time, relative to its median; None without an interval."""
    times_s = [row.epoch_time_s for row in rows if row.epoch_time_s is not None]
    found = summarize(times_s) if times_s else None
    if found is None or found.low is None or found.high is None:
        return None
    return (found.high - found.low) / 2 / found.value


def _unloaded(rows: Iterable[RunRow]) -> list[RunRow]:
    return [row for row in rows if row.outcome == "completed" and not is_loaded(row)]


def _cells(runs: Iterable[Run]) -> list[list[Run]]:
    """The runs of each cell in the order of their seeds."""
    cells: dict[str, list[Run]] = {}
    for run in runs:
        cells.setdefault(run.cell.id, []).append(run)
    return [sorted(own, key=lambda run: run.seed) for own in cells.values()]


def _cell_of(run: str) -> tuple[str, ...]:
    return tuple(run.split("/")[:-1])

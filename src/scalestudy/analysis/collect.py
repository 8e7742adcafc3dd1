"""Reads all planned runs: what completed, what failed, what is missing, and every record that is damaged."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from scalestudy.errors import StudyError
from scalestudy.records.events import read_events
from scalestudy.records.files import read_model
from scalestudy.records.parity import Parity, ParityRow
from scalestudy.records.paths import RunPaths, StudyPaths
from scalestudy.records.report import RunRow
from scalestudy.records.result import Epoch, Result
from scalestudy.spec.catalog import STRATEGIES
from scalestudy.spec.run import Run, Study

ANOTHER = "result of another specification"


@dataclass(frozen=True)
class CollectedRun:
    """A planned run with what came of it; ``result`` is None unless the run completed and its record is whole."""

    run: Run
    result: Result | None
    row: RunRow
    failure: Result | None = None
    """The record of a run that failed."""


@dataclass(frozen=True)
class Collection:
    """Everything that the analysis starts from."""

    study: Study
    runs: list[CollectedRun]
    parity: list[ParityRow]
    problems: list[str]
    """Damaged records and skipped combinations, one line each."""


def collect(results: Path) -> Collection:
    """Read ``results/STUDY``. Raises StudyError when study.json is missing or damaged; all else becomes a problem."""
    paths = StudyPaths(results)
    study = read_model(paths.study, Study)
    for run in study.runs:
        if run.cell.strategy not in STRATEGIES:
            known = ", ".join(STRATEGIES)
            raise StudyError(f"{paths.study}: strategy {run.cell.strategy!r} of {run.id} is unknown; known: {known}")
    problems = [f"skipped: {line}" for line in study.skipped]
    runs = [_collect_run(RunPaths.of(results, run), run, problems) for run in study.runs]
    parity = _read_parity(paths.parity, problems)
    return Collection(study, runs, parity, [_shown(problem, results) for problem in problems])


def timed_epochs(result: Result) -> list[Epoch]:
    """The epochs that enter the epoch time."""
    return [epoch for epoch in result.epochs if epoch.timed]


def epoch_time_s(result: Result) -> float:
    """The time of a run: median over its timed epochs."""
    return float(median(epoch.time_s for epoch in timed_epochs(result)))


def images_per_epoch(result: Result) -> int:
    """Training images of one epoch over all devices."""
    return timed_epochs(result)[0].images


def _collect_run(paths: RunPaths, run: Run, problems: list[str]) -> CollectedRun:
    problems += _foreign_lines(paths)
    try:
        result, reason = _read_result(paths, run)
    except StudyError as error:
        problems.append(str(error))
        return CollectedRun(run, None, _row(run, "missing", "damaged record"))
    except OSError as error:
        problems.append(f"{paths.folder}: cannot be read: {error.strerror or error}")
        return CollectedRun(run, None, _row(run, "missing", "unreadable folder"))
    if result is None:
        if reason == ANOTHER:
            problems.append(f"{paths.result}: {ANOTHER}; run this run again")
        return CollectedRun(run, None, _row(run, "missing", reason))
    if result.outcome == "failed":
        row = _row(run, "failed", result.error or "no reason recorded", result)
        return CollectedRun(run, None, row, failure=result)
    if flaw := _flaw(result, run):
        problems.append(f"{paths.result}: {flaw}")
        return CollectedRun(run, None, _row(run, "missing", flaw))
    return CollectedRun(run, result, _completed_row(run, result))


def _read_result(paths: RunPaths, run: Run) -> tuple[Result | None, str]:
    """The result of exactly this run, or None and why there is none. Raises StudyError for a damaged record."""
    if not paths.result.exists():
        return None, _last_words(paths)
    result = read_model(paths.result, Result)
    same_run = not paths.run.exists() or read_model(paths.run, Run).digest == run.digest
    if not same_run or result.run_digest != run.digest:
        return None, ANOTHER
    return result, ""


def _flaw(result: Result, run: Run) -> str | None:
    """Why the numbers of a record that says completed cannot be used, or None."""
    if [epoch.epoch for epoch in result.epochs] != list(range(run.workload.epochs)):
        return f"says completed but holds {len(result.epochs)} of {run.workload.epochs} epochs"
    timed = timed_epochs(result)
    if not timed:
        return "holds no timed epoch"
    if not all(math.isfinite(epoch.time_s) and epoch.time_s > 0 for epoch in timed):
        return "holds an epoch time that is not a positive number"
    return None


def _last_words(paths: RunPaths) -> str:
    """Why there is no result, as far as the rank files tell."""
    for path in sorted(paths.ranks.glob("rank*.jsonl")):
        events = _last_attempt(_events_or_nothing(path))
        for event in reversed(events):
            if event["event"] == "error":
                return f"no result; {path.stem}: {_one_line(event['message'])}"
        epochs = [event["epoch"] for event in events if event["event"] == "epoch"]
        if epochs:
            return f"no result; stopped after epoch {max(epochs) + 1}"
    return "no result" if paths.ranks.exists() else "not started"


def _last_attempt(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events since the run was last started; a run taken up again goes on in the same file."""
    starts = [place for place, event in enumerate(events) if event["event"] == "start"]
    return events[starts[-1] :] if starts else events


def _events_or_nothing(path: Path) -> list[dict[str, Any]]:
    try:
        return read_events(path)[0]
    except StudyError:  # already named among the problems
        return []


def _foreign_lines(paths: RunPaths) -> list[str]:
    """One line for each rank file that holds lines which are no events."""
    found = []
    for path in sorted(paths.ranks.glob("rank*.jsonl")):
        try:
            lines = read_events(path)[1]
        except StudyError as error:
            lines = [str(error)]
        if lines:
            found.append(lines[0] + (f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""))
    return found


def _read_parity(path: Path, problems: list[str]) -> list[ParityRow]:
    if not path.exists():
        return []
    try:
        return read_model(path, Parity).rows
    except StudyError as error:
        problems.append(str(error))
        return []


def _row(run: Run, outcome: str, reason: str = "", result: Result | None = None, **values: object) -> RunRow:
    cell = run.cell
    provenance = result.provenance if result else None
    return RunRow.model_validate(
        {
            "run": run.id,
            "workload": cell.workload,
            "scaling": cell.scaling,
            "strategy": cell.strategy,
            "nodes": cell.nodes,
            "devices": cell.devices,
            "seed": run.seed,
            "outcome": outcome,
            "reason": _one_line(reason),
            "oversubscribed": run.oversubscribed,
            "resumed": result.resumed if result else 0,
            "implementation": result.implementation if result else "",
            "host": " ".join(provenance.hosts) if provenance else "",
            "commit": provenance.commit if provenance else "",
            "image": provenance.image_digest if provenance else "",
            "weights_sha256": (result.weights_sha256 if result else None) or "",
            **values,
        }
    )


def _completed_row(run: Run, result: Result) -> RunRow:
    last, startup = result.epochs[-1], result.startup
    diverged = not all(math.isfinite(epoch.train_loss) for epoch in result.epochs)
    time_s = epoch_time_s(result)
    return _row(
        run,
        "completed",
        "the training loss is not finite" if diverged else "",
        result,
        epoch_time_s=time_s,
        startup_s=startup.launch_s + startup.data_s + startup.build_s + startup.warm_up_s if startup else None,
        total_s=result.total_s if result.total_s > 0 else None,
        images_per_s=images_per_epoch(result) / time_s,
        train_loss=last.train_loss if math.isfinite(last.train_loss) else None,
        accuracy=last.test_accuracy if math.isfinite(last.test_accuracy) else None,
        peak_memory_bytes=result.peak_memory_bytes,
        foreign_load=_foreign_load(timed_epochs(result)),
    )


def _foreign_load(epochs: Sequence[Epoch]) -> float | None:
    """Share of the machine that other programs took during the timed epochs; None when any of them lacks it."""
    shares = [(epoch.foreign_load, epoch.time_s) for epoch in epochs if epoch.foreign_load is not None]
    if len(shares) < len(epochs):
        return None
    return sum(load * time_s for load, time_s in shares) / sum(time_s for _, time_s in shares)


def _one_line(text: object) -> str:
    return " ".join(str(text).split())


def _shown(problem: str, results: Path) -> str:
    """The problem with paths below the study's folder, so that the report names no folder of the machine."""
    return _one_line(problem.replace(f"{results}/", ""))

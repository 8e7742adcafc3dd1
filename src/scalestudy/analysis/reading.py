"""Reads what the folder of one run holds: its result, why there is none, and everything that is wrong with it."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from scalestudy.analysis.contradictions import without_wrong_phases, wrong_epoch
from scalestudy.analysis.planned import Planned
from scalestudy.analysis.rank_epochs import CONTRADICTS
from scalestudy.analysis.rank_files import check_ranks
from scalestudy.analysis.soundness import MOST, UNSOUND, is_duration, is_time, sound_result
from scalestudy.errors import StudyError
from scalestudy.records.events import read_events
from scalestudy.records.files import is_there, read_bytes, read_model
from scalestudy.records.paths import RunPaths
from scalestudy.records.result import Epoch, Result
from scalestudy.spec.run import Run

ANOTHER = "result of another specification"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Reading:
    """What one run's folder holds."""

    result: Result | None
    """Of a completed or failed run, whole and of this specification; None when nothing can be used."""
    reason: str = ""
    """Why there is no result."""
    flaw: str = ""
    """What is wrong with the rank files, in a few words."""
    problems: tuple[str, ...] = ()
    """One line for each damaged file, naming file and line."""


def read_run(folder: Path, planned: Planned) -> Reading:
    """Read ``results/STUDY/runs/ID``. Raises nothing: whatever is wrong is said in the reading."""
    paths = RunPaths(folder)
    try:
        result, reason = _read_result(paths, planned)
    except StudyError as error:
        return Reading(None, "damaged record", problems=(*_foreign_lines(paths), str(error)))
    except OSError as error:
        return Reading(None, "unreadable folder", problems=(f"{folder}: cannot be read: {error.strerror or error}",))
    if result is None:
        another = (f"{paths.result}: {ANOTHER}; run this run again",) if reason == ANOTHER else ()
        return Reading(None, reason, problems=(*_foreign_lines(paths), *another))
    result, flaws = sound_result(result)
    unsound = tuple(f"{paths.result}: {flaw}" for flaw in flaws)
    if result.outcome == "failed":
        return Reading(result, problems=(*_foreign_lines(paths), *unsound))
    return _completed(paths, planned, result, unsound)


def _completed(paths: RunPaths, planned: Planned, result: Result, unsound: tuple[str, ...]) -> Reading:
    """The reading of a run that says it came to its end; ``unsound`` names the parts of it that were left out."""
    if flaw := _unusable(result, planned):
        return Reading(None, flaw, problems=(*_foreign_lines(paths), f"{paths.result}: {flaw}"))
    result, contradiction = without_wrong_phases(result, planned.devices)
    if contradiction:
        unsound += (f"{paths.result}: {contradiction}",)
    check = check_ranks(paths, planned, result.epochs)
    if check.contradiction:
        said = f"{paths.result}: {check.contradiction}; the run is not used"
        return Reading(None, CONTRADICTS, problems=(*check.problems, said))
    flaw = "; ".join(part for part in (check.flaw, UNSOUND if unsound else "") if part)
    return _without_impossible_total(paths, Reading(result, "", flaw, (*check.problems, *unsound)))


def timed_epochs(result: Result) -> list[Epoch]:
    """The epochs that enter the epoch time."""
    return [epoch for epoch in result.epochs if epoch.timed]


def epoch_time_s(result: Result) -> float:
    """The time of a run: median over its timed epochs."""
    return float(median(epoch.time_s for epoch in timed_epochs(result)))


def images_per_epoch(result: Result) -> int:
    """Training images of one epoch over all devices."""
    return timed_epochs(result)[0].images


def _read_result(paths: RunPaths, planned: Planned) -> tuple[Result | None, str]:
    """The result of exactly this run, or None and why there is none. Raises StudyError for a damaged record."""
    if not is_there(paths.result):
        return None, _last_words(paths)
    try:
        result = read_model(paths.result, Result)
    except StudyError as error:
        raise _other_version(paths.result) or error from error
    if not _is_of(paths.run, planned) or result.run_digest != planned.digest:
        return None, ANOTHER
    return result, ""


def _is_of(path: Path, planned: Planned) -> bool:
    """Whether run.json, where it is there, is that of the plan. Raises StudyError for a damaged one."""
    if not is_there(path) or read_bytes(path) == planned.text.encode():
        return True
    return read_model(path, Run).digest == planned.digest


def _other_version(path: Path) -> StudyError | None:
    """The error to raise for a record that another version of the program wrote."""
    try:
        version = json.loads(read_bytes(path))["schema_version"]
    except (ValueError, KeyError, TypeError, RecursionError, StudyError):
        return None
    if version == SCHEMA_VERSION:
        return None
    return StudyError(f"{path}: schema_version: found {version!r}; this version of scalestudy reads {SCHEMA_VERSION}")


def _unusable(result: Result, planned: Planned) -> str | None:
    """Why the numbers of a record that says completed cannot be used, or None."""
    numbers = [epoch.epoch for epoch in result.epochs]
    if len(numbers) != planned.epochs:
        return f"says completed but holds {len(numbers)} of {planned.epochs} epochs"
    if numbers != list(range(planned.epochs)):
        return f"holds its epochs as {', '.join(map(str, numbers[:8]))}, not in order and each once"
    flaws = {
        "holds no timed epoch": not timed_epochs(result),
        "holds an epoch time that is not a positive number": not all(is_time(epoch.time_s) for epoch in result.epochs),
        "holds an evaluation time that cannot be": not all(is_duration(epoch.evaluation_s) for epoch in result.epochs),
        "holds an epoch without images or steps": not all(
            0 < epoch.images <= MOST and 0 < epoch.steps <= MOST for epoch in result.epochs
        ),
        "holds a test accuracy that is not between 0 and 1": any(
            epoch.test_accuracy < 0 or epoch.test_accuracy > 1 for epoch in result.epochs
        ),
    }
    return next((flaw for flaw, holds in flaws.items() if holds), None) or wrong_epoch(result, planned)


def _without_impossible_total(paths: RunPaths, reading: Reading) -> Reading:
    """Wall-clock time is the one number that a clock that was set can make wrong: it is dropped then, and said."""
    result = reading.result
    if result is None or result.total_s <= 0:
        return reading
    if "clock jumps" in reading.flaw:
        return replace(reading, result=result.model_copy(update={"total_s": 0.0}))
    trained_s = sum(epoch.time_s + epoch.evaluation_s for epoch in result.epochs)
    if result.total_s >= 0.999 * trained_s:
        return reading
    problem = (
        f"{paths.result}: total_s: found {result.total_s:.4g} s, less than the {trained_s:.4g} s of its epochs; "
        "the clock jumped, and the end-to-end time is not used"
    )
    flaw = "; ".join(part for part in (reading.flaw, "clock jumps") if part)
    return Reading(result.model_copy(update={"total_s": 0.0}), "", flaw, (*reading.problems, problem))


def _last_words(paths: RunPaths) -> str:
    """Why there is no result, as far as the rank files tell."""
    for path in sorted(paths.ranks.glob("rank*.jsonl")):
        events = _last_attempt(_events_or_nothing(path))
        for event in reversed(events):
            if event["event"] == "error":
                return f"no result; {path.stem}: {one_line(event['message'])}"
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


def _foreign_lines(paths: RunPaths) -> tuple[str, ...]:
    """One line for each rank file of a run without a result that holds lines which are no events."""
    found = []
    for path in sorted(paths.ranks.glob("rank*.jsonl")):
        try:
            lines = read_events(path)[1]
        except StudyError as error:
            lines = [str(error)]
        if lines:
            found.append(lines[0] + (f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""))
    return tuple(found)


def one_line(text: object) -> str:
    """Text without line breaks or runs of spaces."""
    return " ".join(str(text).split())

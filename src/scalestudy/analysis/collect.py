"""Reads all planned runs: what completed, what failed, what is missing, and every record that is damaged."""

import gc
import math
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path

from scalestudy.analysis.cache import Entry, decode, load_cache, read_entries, save_cache, stamp_of
from scalestudy.analysis.garbage import uncollected
from scalestudy.analysis.planned import Planned
from scalestudy.analysis.probes import read_probes
from scalestudy.analysis.reading import Reading, epoch_time_s, images_per_epoch, one_line, timed_epochs
from scalestudy.analysis.repeats import exclusions, wanted_runs
from scalestudy.errors import StudyError
from scalestudy.records.files import is_there, model_text, read_model
from scalestudy.records.parity import Parity, ParityRow
from scalestudy.records.paths import StudyPaths
from scalestudy.records.probe import Probe
from scalestudy.records.provenance import Provenance
from scalestudy.records.report import RunRow
from scalestudy.records.result import Epoch, Result
from scalestudy.spec.catalog import STRATEGIES
from scalestudy.spec.run import Run, Study

__all__ = ["CollectedRun", "Collection", "collect", "epoch_time_s", "images_per_epoch", "timed_epochs"]

CHUNK = 100
"""Runs that a process reads at a time; fewer new runs than two of these are not worth another process."""


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
    parity_provenance: Provenance | None
    """With what the parity check ran; None where there is no record of it."""
    probes: list[Probe]
    problems: list[str]
    """Damaged records, skipped combinations and the plan's notes, one line each."""
    read: int = 0
    """Runs whose files were read; the others came from the cache."""


def collect(results: Path) -> Collection:
    """Read ``results/STUDY``. Raises StudyError when study.json is missing or damaged; all else becomes a problem."""
    paths = StudyPaths(results)
    study = read_model(paths.study, Study)
    planned: set[str] = set()
    for run in study.runs:
        if run.id in planned:
            raise StudyError(f"{paths.study}: run {run.id} is planned twice; plan the study again")
        planned.add(run.id)
        if run.cell.strategy not in STRATEGIES:
            known = ", ".join(STRATEGIES)
            raise StudyError(f"{paths.study}: strategy {run.cell.strategy!r} of {run.id} is unknown; known: {known}")
    problems = [f"note: {line}" for line in study.notes] + [f"skipped: {line}" for line in study.skipped]
    readings, read = _readings(paths, study.runs)
    runs = []
    for run, reading in zip(study.runs, readings, strict=True):
        problems += reading.problems
        runs.append(_collected(run, reading))
    runs = _wanted(study, runs)
    parity = _read_parity(paths.parity, problems)
    probes = read_probes(paths, study, problems)
    shown = [_shown(problem, results) for problem in problems]
    return Collection(study, runs, parity.rows, parity.provenance, probes, shown, read)


def _wanted(study: Study, runs: Sequence[CollectedRun]) -> list[CollectedRun]:
    """The runs that the study wants as things stand, those marked that do not enter the numbers."""
    wanted = set(wanted_runs(study, {run.run.id: run.row for run in runs}))
    kept = [run for run in runs if run.run.id in wanted]
    excluded = exclusions(study, [run.row for run in kept])
    return [
        replace(run, row=run.row.model_copy(update={"excluded": excluded[run.run.id]}))
        if run.run.id in excluded
        else run
        for run in kept
    ]


def _readings(paths: StudyPaths, runs: Sequence[Run]) -> tuple[list[Reading], int]:
    """What each run's folder holds, and how many folders were read."""
    planned = [Planned.of(run) for run in runs]
    entries, read = _entries(paths, runs, planned)
    return _decoded(entries.pop(one.id) for one in planned), read  # a line is not kept beside what it says


def _entries(paths: StudyPaths, runs: Sequence[Run], planned: Sequence[Planned]) -> tuple[dict[str, Entry], int]:
    """The lines of all runs, from the cache where nothing changed, and how many folders were read."""
    folder = paths.results / "runs"
    known = load_cache(paths.collected)
    entries = {
        one.id: known[one.id]
        for one in planned
        if one.id in known and known[one.id].stamp == stamp_of(folder / one.id, one)
    }
    changed = [(run, one) for run, one in zip(runs, planned, strict=True) if one.id not in entries]
    entries |= _read(folder, changed)
    lasting = {one.id: entries[one.id] for one in planned if entries[one.id].stamp}
    if lasting != known:
        save_cache(paths.collected, lasting)
    return entries, len(changed)


def _decoded(entries: Iterable[Entry]) -> list[Reading]:
    """All readings."""
    with uncollected():
        found = [decode(entry.line) for entry in entries]
        if len(found) > CHUNK:
            gc.freeze()
        return found


def _read(folder: Path, runs: Sequence[tuple[Run, Planned]]) -> dict[str, Entry]:
    """Read the folders of runs, many of them with all cores."""
    cores = len(os.sched_getaffinity(0))
    chunks = (  # made one by one, while the first are already read
        [replace(one, text=model_text(run)) for run, one in runs[place : place + CHUNK]]
        for place in range(0, len(runs), CHUNK)
    )
    if len(runs) < 2 * CHUNK or cores < 2:
        return dict(entry for chunk in chunks for entry in read_entries(folder, chunk))
    with ProcessPoolExecutor(cores, initializer=gc.disable) as pool:  # what a reader makes is no cyclic garbage
        parts = pool.map(partial(read_entries, folder), chunks)
        import_module("scipy.stats")  # which the analysis needs next: half a second that it need not wait for
        return dict(entry for part in parts for entry in part)


def _collected(run: Run, reading: Reading) -> CollectedRun:
    result = reading.result
    if result is None:
        return CollectedRun(run, None, _row(run, "missing", reading.reason))
    if result.outcome == "failed":
        row = _row(run, "failed", result.error or "no reason recorded", result)
        return CollectedRun(run, None, row, failure=result)
    return CollectedRun(run, result, _completed_row(run, result, reading.flaw))


def _read_parity(path: Path, problems: list[str]) -> Parity:
    if not is_there(path):
        return Parity(rows=[])
    try:
        return read_model(path, Parity)
    except StudyError as error:
        problems.append(str(error))
        return Parity(rows=[])


def _row(run: Run, outcome: str, reason: str = "", result: Result | None = None, **values: object) -> RunRow:
    cell = run.cell
    provenance = result.provenance if result else None
    return RunRow.model_validate(
        {
            "run": run.id,
            "workload": cell.workload,
            "scaling": cell.scaling,
            "strategy": cell.variant,
            "nodes": cell.nodes,
            "devices": cell.devices,
            "seed": run.seed,
            "outcome": outcome,
            "reason": one_line(reason),
            "oversubscribed": run.oversubscribed,
            "resumed": result.resumed if result else 0,
            "implementation": result.implementation if result else "",
            "host": " ".join(provenance.hosts) if provenance else "",
            "commit": provenance.commit if provenance else "",
            "image": " ".join(filter(None, sorted(result.images))) if result else "",
            "weights_sha256": (result.weights_sha256 if result else None) or "",
            **values,
        }
    )


def _completed_row(run: Run, result: Result, flaw: str) -> RunRow:
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
        flaw=flaw,
    )


def _foreign_load(epochs: Sequence[Epoch]) -> float | None:
    """Share of the machine that other programs took during the timed epochs; None when any of them lacks it."""
    shares = [(epoch.foreign_load, epoch.time_s) for epoch in epochs if epoch.foreign_load is not None]
    if len(shares) < len(epochs):
        return None
    return sum(load * time_s for load, time_s in shares) / sum(time_s for _, time_s in shares)


def _shown(problem: str, results: Path) -> str:
    """The problem with paths below the study's folder, so that the report names no folder of the machine."""
    return one_line(problem.replace(f"{results}/", ""))

"""Train one run, and write down a failure where the study is to go on."""

import os
import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from scalestudy.errors import StudyError, may_pass
from scalestudy.records.current import is_current
from scalestudy.records.files import read_model, write_model
from scalestudy.records.paths import RunPaths
from scalestudy.records.result import Result
from scalestudy.spec.own_code import code_digest
from scalestudy.spec.run import Run, Study


def train_run(run: Run, paths: RunPaths, started: float, record_failure: bool) -> int:
    """Train to the end, or until asked to stop. Returns the exit code.

    Raises StudyError when training fails and the failure is not to be recorded.
    """
    title = progress_title(run, paths)
    try:
        from scalestudy.train.failures import RankLost
        from scalestudy.train.job import Job
        from scalestudy.train.launch import train
        from scalestudy.train.lock import RunBusy
        from scalestudy.train.ranks import launched, leads
        from scalestudy.train.stopping import EXIT_STOPPED
    except ImportError as error:
        raise StudyError(f"{run.id}: {error}; training needs torch and torchvision (see README)") from error
    try:
        return train(Job(run=run, paths=paths, title=title, started=started))
    except RunBusy as busy:
        if not launched(os.environ):
            raise
        print(busy, file=sys.stderr)
        return EXIT_STOPPED
    except RankLost:
        raise  # nobody knows what happened
    except Exception as error:
        reason = reason_of(error)
        if not isinstance(error, StudyError):
            traceback.print_exc()
        leading = leads(os.environ)  # rank 0 knows what happened on the others
        try_again = leading and launched(os.environ) and may_pass(error)
        if try_again or not record_failure:
            raise StudyError(f"{run.id}: {reason}") from error
        if leading:
            _record(run, paths, reason, started)
        print(f"{title}  failed: {reason}")
        return 0


def check_code(runs: Iterable[Run]) -> None:
    """Raises StudyError where the user's own model is not the one that these runs were planned with."""
    right = "must be as it was, or the study planned again: make run, snakemake and `scalestudy plan` do it"
    for run in runs:
        name = run.workload.model.name
        if run.model_code and code_digest(name) not in ("", run.model_code):
            raise StudyError(
                f"{run.id}: model.name: found another file of {name} than the run was planned with; {right}"
            )


def completed(run: Run, paths: RunPaths) -> Result | None:
    """What came of this very run when it was trained before, to its end."""
    with suppress(StudyError):  # none, or a damaged one
        result = read_model(paths.result, Result)
        if result.run_digest == run.digest and result.outcome == "completed":
            return result
    return None


def _record(run: Run, paths: RunPaths, reason: str, started: float) -> None:
    from scalestudy.train.provenance import here, part_from

    where = here(part_from(started))  # in another image the run may not fail
    failed = Result(run_id=run.id, run_digest=run.digest, outcome="failed", error=reason, provenance=where)
    write_model(paths.result, failed)


def reason_of(error: Exception) -> str:
    """A failure as one line."""
    text = str(error).strip().splitlines()
    message = text[0] if text else ""
    return message if isinstance(error, StudyError) else f"{type(error).__name__}: {message}"


def _done(result: Path, digest: str, planned: float) -> bool:
    """Whether a run is done; only what is older than the plan is looked into."""
    with suppress(OSError):
        return result.stat().st_mtime >= planned or is_current(result, digest)
    return False


def progress_title(run: Run, paths: RunPaths) -> str:
    """``[3/30] WORKLOAD SCALING STRATEGY-NxD seed K``.

    The count is left out outside a study folder, and for a run that is done: trained again it brings the study no
    further.
    """
    name = f"{run.cell.workload} {run.cell.scaling} {run.cell.variant}-{run.cell.layout} seed {run.seed}"
    study = paths.study
    if study is None or not study.study.exists():
        return name
    try:
        plan = read_model(study.study, Study)
    except StudyError:
        return name
    runs = plan.runs
    planned = study.study.stat().st_mtime
    if _done(paths.result, run.digest, planned):
        return name
    done = sum(_done(study.run(one.id).result, one.digest, planned) for one in runs)
    if plan.repeats:  # how many there will be is not known yet
        return f"[{done + 1}] {name}"
    return f"[{min(done + 1, len(runs)):{len(str(len(runs)))}}/{len(runs)}] {name}"

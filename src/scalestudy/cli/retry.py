"""Forget what failed, so that the next run of the workflow tries it again."""

from collections.abc import Iterator
from pathlib import Path

from scalestudy.records.files import read_model
from scalestudy.records.parity import Parity
from scalestudy.records.paths import StudyPaths, results_of
from scalestudy.records.probe import Probe
from scalestudy.records.result import Result
from scalestudy.spec.probing import probings
from scalestudy.spec.run import Study


def forget_failures(study: str) -> int:
    """Delete failed results, and what was made from them: Snakemake makes anew what its target lacks.

    Returns the exit code. Raises StudyError when the study was not planned or a record is damaged.
    """
    paths = StudyPaths(results_of(study))
    plan = read_model(paths.study, Study)
    failed = list(_failures(plan, paths))
    for what, path in failed:
        path.unlink()
        print(f"will {what}")
    if failed:
        paths.report.unlink(missing_ok=True)
        (Path("reports") / paths.results.name / "report.pdf").unlink(missing_ok=True)
    runs = sum(what.startswith("train") for what, _ in failed)
    print(f"{study}: {runs} failed runs forgotten")
    return 0


def _failures(plan: Study, paths: StudyPaths) -> Iterator[tuple[str, Path]]:
    """What is to be done again, and the record that says that it failed."""
    for run in plan.runs:
        result = paths.run(run.id).result
        if result.exists() and read_model(result, Result).outcome == "failed":
            yield f"train again: {run.id}", result
    for layout in probings(plan):
        probe = paths.probe(layout)
        if probe.exists() and read_model(probe, Probe).error:
            yield f"probe again: {layout}", probe
    if paths.parity.exists() and not all(row.passed for row in read_model(paths.parity, Parity).rows):
        yield "check parity again", paths.parity

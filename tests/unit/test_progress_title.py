"""How a run is called while it trains: with its place in the study, where it brings the study further."""

from pathlib import Path

import pytest

from scalestudy.cli.training import progress_title
from scalestudy.records.files import write_model
from scalestudy.records.paths import RunPaths, StudyPaths
from scalestudy.records.result import Result
from scalestudy.spec.expand import expand
from scalestudy.spec.layouts import Machine
from scalestudy.spec.reading import check
from scalestudy.spec.run import Run, Study


@pytest.fixture
def study() -> Study:
    """Three runs that differ in the seed."""
    workload = {
        "data": {"name": "fashion_mnist_subset"},
        "model": {"name": "mnist_cnn"},
        "optimizer": {"name": "sgd", "lr": 0.1},
        "epochs": 2,
    }
    studies = {"own": {"workloads": ["net"], "strategies": ["serial"], "seeds": [1, 2, 3]}}
    config = check({"study": "own", "workloads": {"net": workload}, "studies": studies}, "config.yaml")
    return expand(config, Machine(device="cpu", devices=1, cores=1))


def done(run: Run, paths: RunPaths, outcome: str = "completed") -> None:
    error = "" if outcome == "completed" else "the weather"
    result = {"run_id": run.id, "run_digest": run.digest, "outcome": outcome, "error": error}
    write_model(paths.result, Result.model_validate(result))


def test_a_run_is_counted_after_those_that_are_done(tmp_path: Path, study: Study) -> None:
    first, second, _ = study.runs
    paths = StudyPaths(tmp_path / "own")
    write_model(paths.study, study)
    assert progress_title(first, paths.run(first.id)) == "[1/3] net epoch serial-1x1 seed 1"
    done(first, paths.run(first.id))
    assert progress_title(second, paths.run(second.id)) == "[2/3] net epoch serial-1x1 seed 2"


@pytest.mark.parametrize("outcome", ["completed", "failed"])
def test_a_run_that_is_trained_again_is_not_counted(tmp_path: Path, study: Study, outcome: str) -> None:
    first, *_ = study.runs
    paths = StudyPaths(tmp_path / "own")
    write_model(paths.study, study)
    done(first, paths.run(first.id), outcome)
    assert progress_title(first, paths.run(first.id)) == "net epoch serial-1x1 seed 1"


def test_a_run_outside_a_study_is_not_counted(tmp_path: Path, study: Study) -> None:
    first, *_ = study.runs
    assert progress_title(first, RunPaths(tmp_path)) == "net epoch serial-1x1 seed 1"

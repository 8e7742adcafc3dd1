"""What communication costs is measured beside training, and leaves no trace in it."""

from pathlib import Path

import pytest
from train_setup import LAYOUTS, import_what_ranks_need, make_run, trained

from scalestudy.records.files import read_model
from scalestudy.records.paths import RunPaths
from scalestudy.records.result import CommunicationCost, Result
from scalestudy.spec.run import Run
from scalestudy.train.communication_cost import LEAST_TURNS
from scalestudy.train.job import Job
from scalestudy.train.launch import train
from scalestudy.train.processes import run_ranks

PARALLEL = [strategy for strategy in LAYOUTS if strategy != "serial"]


def trained_without_measuring(run: Run, folder: Path) -> Result:
    import_what_ranks_need()
    job = Job(run=run, paths=RunPaths(folder), title="test", started=0.0, measure_communication=False)
    assert (train(job) if run.processes > 1 else run_ranks(lambda _: train(job), 1)) == 0
    return read_model(RunPaths(folder).result, Result)


def cost_of(result: Result) -> CommunicationCost:
    assert result.communication_cost is not None
    return result.communication_cost


@pytest.mark.parametrize("strategy", PARALLEL)
def test_training_is_bit_for_bit_the_same_with_and_without_the_measurement(strategy: str, tmp_path: Path) -> None:
    run = make_run(strategy)
    measured, plain = trained(run, tmp_path / "a"), trained_without_measuring(run, tmp_path / "b")
    assert plain.communication_cost is None
    assert measured.weights_sha256 == plain.weights_sha256
    assert measured.notes == plain.notes
    if not run.oversubscribed:
        cost = cost_of(measured)
        assert len(cost.with_s) == len(cost.without_s) >= LEAST_TURNS
        assert all(time_s > 0 for time_s in cost.with_s + cost.without_s)
        assert cost.without
        assert not cost.reason


def test_one_device_has_no_communication_to_cost_anything(tmp_path: Path) -> None:
    assert trained(make_run("serial"), tmp_path).communication_cost is None


@pytest.mark.parametrize(
    ("changes", "reason"), [({"compile": True}, "compiled"), ({}, "more devices than cores: nothing is timed")]
)
def test_what_is_not_measured_says_why(changes: dict, reason: str, tmp_path: Path) -> None:
    run = make_run("data_parallel", epochs=1, images=64, **changes)
    if not changes:
        run = run.model_copy(update={"oversubscribed": True})
    cost = cost_of(trained(run, tmp_path))
    assert not cost.with_s
    assert reason in cost.reason

"""The learning rate where it counts: in the steps of a run."""

from pathlib import Path

import pytest
from train_setup import learned, make_run, start, trained

from scalestudy.records.events import read_events
from scalestudy.records.paths import RunPaths
from scalestudy.train.clock import StepClock
from scalestudy.train.optimizer import Optimizer
from scalestudy.train.stopping import EXIT_STOPPED
from scalestudy.train.strategies.base import Batches
from scalestudy.train.strategies.serial import Serial

STEPS = 165
"""Of an epoch of 330 images in batches of 2."""


def test_a_warm_up_changes_what_a_run_learns(tmp_path: Path) -> None:
    plain, warmed = (trained(make_run(warmup_epochs=length), tmp_path / str(length)) for length in (0.0, 1.0))
    assert warmed.epochs[0].train_loss > 1.05 * plain.epochs[0].train_loss
    assert learned(warmed) != learned(plain)


def test_linear_scaling_raises_the_rate_with_the_global_batch_and_only_with_it(tmp_path: Path) -> None:
    by_rule = {
        (scaling, rule): learned(
            trained(make_run("ddp", scaling=scaling, lr_scaling=rule, epochs=1), tmp_path / scaling / rule)
        )
        for scaling in ("epoch", "strong")
        for rule in ("none", "linear", "sqrt")
    }
    assert len({str(by_rule["epoch", rule]) for rule in ("none", "linear", "sqrt")}) == 3
    assert len({str(by_rule["strong", rule]) for rule in ("none", "linear", "sqrt")}) == 1


@pytest.fixture
def rates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file to which every step of serial training adds the rate that its update is made with."""
    path, step = tmp_path / "rates", Serial.step

    def noted(self: Serial, optimizer: Optimizer, batches: Batches, first: int, last: int, clock: StepClock) -> object:
        with path.open("a") as file:
            file.write(f"{optimizer.param_groups[0]['lr']}\n")
        return step(self, optimizer, batches, first, last, clock)

    monkeypatch.setattr(Serial, "step", noted)  # ranks are forked, and so have it
    return path


def test_a_run_stopped_in_its_warm_up_goes_on_with_the_rate_of_its_next_step(tmp_path: Path, rates: Path) -> None:
    run = make_run(batch_size=2, warmup_epochs=1.5)
    whole = trained(run, tmp_path / "whole")
    peak, last = run.workload.optimizer.lr, round(1.5 * STEPS)
    expected = [peak * min(1.0, (step + 1) / last) for step in range(2 * STEPS)]
    assert [float(line) for line in rates.read_text().splitlines()] == pytest.approx(expected)
    rates.unlink()
    paths = RunPaths(tmp_path / "stopped")
    paths.folder.mkdir()
    paths.stop.touch()
    assert start(run, paths.folder) == EXIT_STOPPED
    (stop,) = (event for event in read_events(paths.events(0))[0] if event["event"] == "stop")
    assert stop["epoch"] == 0
    assert 0 < stop["step"] < STEPS
    resumed = trained(run, paths.folder)
    assert [float(line) for line in rates.read_text().splitlines()] == pytest.approx(expected)
    assert resumed.resumed == 1
    assert (resumed.weights_sha256, learned(resumed)) == (whole.weights_sha256, learned(whole))

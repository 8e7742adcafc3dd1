"""Known truth, from the trainer to the factors of efficiency: a slow rank is imbalance, a slow data feed is feeding."""

import os
import time
from pathlib import Path

import pytest
from slow_models import SLOW_S
from train_setup import make_run, trained

from scalestudy.analysis.analyze import analyze
from scalestudy.records.files import write_model
from scalestudy.records.paths import RunPaths
from scalestudy.records.report import EfficiencyRow, PhaseRow
from scalestudy.records.result import Result
from scalestudy.spec.run import Study
from scalestudy.train.data.batches import EpochBatches

TWO_CORES = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
STEPS = 6
LOST_S = SLOW_S * STEPS
"""Of an epoch; long beside what the small model computes, so that other programs on the machine hardly change it."""
TOLERANCE = 0.15


def rows_of(folder: Path, strategy: str, **changes: object) -> tuple[EfficiencyRow, PhaseRow, list[Result]]:
    """Train the base and a cell: what the analysis makes of the cell, and the results of both."""
    runs = [make_run(name, epochs=2, images=32 * STEPS, untimed_epochs=1, **changes) for name in ("serial", strategy)]
    results = []
    for run in runs:
        results.append(trained(run, RunPaths.of(folder, run).folder))
        write_model(RunPaths.of(folder, run).run, run)
    write_model(folder / "study.json", Study(name="test", runs=runs, accuracy_margin=0.01))
    data = analyze(folder)
    return data.efficiencies[1], data.phases[1], results


@TWO_CORES
@pytest.mark.parametrize("strategy", ["ddp", "hybrid", "hsdp"])
def test_a_slow_rank_is_load_imbalance(strategy: str, tmp_path: Path) -> None:
    row, phases, (base, result) = rows_of(tmp_path, strategy, model="slow_models:SlowOnOneRank")
    slow, fast = (
        sum(getattr(result.phases[rank], phase) for phase in ("data", "forward", "backward", "optimizer", "other"))
        for rank in (1, 0)
    )
    assert result.phases[0].waiting == pytest.approx(LOST_S, rel=TOLERANCE)
    assert slow - fast == pytest.approx(LOST_S, rel=TOLERANCE)
    # By the base's clock and what was added: one rank does about the base's work, the other that and SLOW_S a step.
    own_s = next(epoch.time_s for epoch in base.epochs if epoch.timed)
    expected = (2 * own_s + LOST_S) / 2 / (own_s + LOST_S)
    assert row.load_balance == pytest.approx(expected, rel=TOLERANCE)
    assert row.load_balance is not None
    assert row.load_balance < 0.7
    assert row.data_feeding is not None
    assert row.data_feeding > 0.9
    assert row.serialization is not None
    assert row.serialization > 0.9
    assert phases.waiting_s == pytest.approx(LOST_S, rel=TOLERANCE)


@TWO_CORES
@pytest.mark.parametrize("strategy", ["ddp", "data_parallel"])
def test_a_slow_data_feed_is_data_feeding(strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = EpochBatches.batch

    def slow(self: EpochBatches, start: int, stop: int) -> object:
        time.sleep(SLOW_S)
        return quick(self, start, stop)

    monkeypatch.setattr(EpochBatches, "batch", slow)
    row, phases, _ = rows_of(tmp_path, strategy)
    assert phases.data_s == pytest.approx(2 * LOST_S, rel=TOLERANCE)
    assert row.data_feeding is not None
    assert row.data_feeding < 0.3
    assert row.load_balance is not None
    assert row.load_balance > 0.8

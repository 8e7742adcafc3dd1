"""Several GPUs of one machine: every strategy learns what one GPU learns."""

from pathlib import Path

import pytest
from gpu_runs import losses, make_run, needs_two, trained
from slow_models import SLOW_S

pytestmark = needs_two
WITHOUT_BATCH_NORM = {"model": {"name": "mnist_cnn"}, "memory_format": "contiguous"}
IMPLEMENTATIONS = {"data_parallel": "torch.nn.DataParallel", "ddp": "nccl", "hybrid": "DataParallel", "hsdp": "nccl"}


@pytest.mark.parametrize("strategy", IMPLEMENTATIONS)
def test_two_gpus_learn_what_one_learns_from_the_same_global_batches(tmp_path: Path, strategy: str) -> None:
    one = trained(make_run(tmp_path, **WITHOUT_BATCH_NORM), tmp_path / "one")
    two = trained(make_run(tmp_path, strategy, devices=2, **WITHOUT_BATCH_NORM), tmp_path / "two")
    assert IMPLEMENTATIONS[strategy] in two.implementation
    assert losses(two) == pytest.approx(losses(one), rel=0.02)


@pytest.mark.parametrize("strategy", ["ddp", "hsdp"])
def test_all_phases_are_known_and_add_up(tmp_path: Path, strategy: str) -> None:
    result = trained(make_run(tmp_path, strategy, devices=2), tmp_path / "two")
    assert [row.device for row in result.phases] == [0, 1]
    assert result.phases_reason == ""
    for row in result.phases:
        phases = row.model_dump(exclude={"device", "steps", "time_s"})
        assert all(value is not None and value > -1e-6 for value in phases.values())
        assert sum(phases.values()) == pytest.approx(row.time_s, rel=0.01)
        assert row.communication is not None
        assert row.communication > 0


@pytest.mark.parametrize("strategy", ["ddp", "hsdp"])
def test_a_slow_gpu_computes_and_the_other_waits(tmp_path: Path, strategy: str) -> None:
    run = make_run(tmp_path, strategy, devices=2, model={"name": "slow_models:SlowOnOneRank"})
    first, slow = trained(run, tmp_path / "two").phases
    lost_s = SLOW_S * slow.steps
    assert first.waiting == pytest.approx(lost_s, rel=0.3)
    assert slow.waiting is not None
    assert slow.waiting < 0.3 * lost_s


def test_communication_inside_data_parallel_is_not_told_apart(tmp_path: Path) -> None:
    result = trained(make_run(tmp_path, "data_parallel", devices=2), tmp_path / "two")
    assert [row.device for row in result.phases] == [0, 1]
    assert "nn.DataParallel" in result.phases_reason
    for row in result.phases:
        assert row.communication is None
        assert row.forward is not None
        assert row.forward > 0

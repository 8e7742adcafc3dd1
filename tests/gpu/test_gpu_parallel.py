"""Several GPUs of one machine: every strategy learns what one GPU learns."""

from pathlib import Path

import pytest
from gpu_runs import losses, make_run, needs_two, trained

pytestmark = needs_two
WITHOUT_BATCH_NORM = {"model": {"name": "mnist_cnn"}, "memory_format": "contiguous"}
IMPLEMENTATIONS = {"data_parallel": "torch.nn.DataParallel", "ddp": "nccl", "hybrid": "DataParallel", "hsdp": "nccl"}


@pytest.mark.parametrize("strategy", IMPLEMENTATIONS)
def test_two_gpus_learn_what_one_learns_from_the_same_global_batches(tmp_path: Path, strategy: str) -> None:
    one = trained(make_run(tmp_path, **WITHOUT_BATCH_NORM), tmp_path / "one")
    two = trained(make_run(tmp_path, strategy, devices=2, **WITHOUT_BATCH_NORM), tmp_path / "two")
    assert IMPLEMENTATIONS[strategy] in two.implementation
    assert losses(two) == pytest.approx(losses(one), rel=0.02)


@pytest.mark.parametrize("strategy", ["data_parallel", "ddp"])
def test_communication_beside_the_backward_pass_is_not_measured(tmp_path: Path, strategy: str) -> None:
    result = trained(make_run(tmp_path, strategy, devices=2), tmp_path / "two")
    for row in result.phases:
        assert row.communication is None
        assert row.forward is not None
        assert row.forward > 0

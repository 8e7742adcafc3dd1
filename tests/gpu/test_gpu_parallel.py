"""Several GPUs of one machine: every strategy learns what one GPU learns."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gpu_runs import losses, make_run, needs_four, needs_two, trained
from slow_models import SLOW_S

from scalestudy.records.files import read_model, write_model
from scalestudy.records.parity import Parity, ParityRow
from scalestudy.spec.config import ReportSpec
from scalestudy.spec.run import Study

pytestmark = needs_two
WITHOUT_BATCH_NORM = {"model": {"name": "mnist_cnn"}, "memory_format": "contiguous"}
IMPLEMENTATIONS = {"data_parallel": "torch.nn.DataParallel", "ddp": "nccl", "hybrid": "DataParallel", "hsdp": "nccl"}


@pytest.mark.parametrize("strategy", IMPLEMENTATIONS)
def test_two_gpus_learn_what_one_learns_from_the_same_global_batches(tmp_path: Path, strategy: str) -> None:
    one = trained(make_run(tmp_path, **WITHOUT_BATCH_NORM), tmp_path / "one")
    two = trained(make_run(tmp_path, strategy, devices=2, **WITHOUT_BATCH_NORM), tmp_path / "two")
    assert IMPLEMENTATIONS[strategy] in two.implementation
    assert losses(two) == pytest.approx(losses(one), rel=0.02)


@pytest.mark.parametrize("devices", [1, pytest.param(2, marks=needs_four)])
def test_nodes_that_are_simulated_on_gpus_learn_what_one_learns(tmp_path: Path, devices: int) -> None:
    """Each process sums on its own first GPU, which is not the one of its rank where it has several."""
    one = trained(make_run(tmp_path, **WITHOUT_BATCH_NORM), tmp_path / "one")
    run = make_run(tmp_path, "hybrid", devices=devices, **WITHOUT_BATCH_NORM)
    several = trained(run.model_copy(update={"cell": run.cell.model_copy(update={"nodes": 2})}), tmp_path / "two")
    assert losses(several) == pytest.approx(losses(one), rel=0.02)


@pytest.mark.parametrize("strategy", ["data_parallel", "hybrid"])
def test_every_gpu_computes_in_bfloat16_where_that_is_asked_for(tmp_path: Path, strategy: str) -> None:
    model = {"name": "odd_models:OnlyInBfloat16"}
    run = make_run(tmp_path, strategy, devices=2, model=model, precision="bfloat16", memory_format="contiguous")
    assert trained(run, tmp_path / "two").outcome == "completed"


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


def checked(folder: Path, strategy: str, **changes: Any) -> list[ParityRow]:
    """The rows of ``scalestudy parity`` for a strategy on two GPUs."""
    runs = [make_run(folder, strategy, devices=2, **changes)]
    path = folder / "study.json"
    write_model(path, Study(name="test", runs=runs, accuracy_margin=0.01, report=ReportSpec()))
    command = [sys.executable, "-m", "scalestudy", "parity", str(path)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    return read_model(next(folder.rglob("parity.json")), Parity).rows


@pytest.mark.parametrize("strategy", ["ddp", "hsdp"])
def test_synchronized_batch_norm_computes_what_one_gpu_computes_from_the_whole_batch(
    tmp_path: Path, strategy: str
) -> None:
    rows = [row for row in checked(tmp_path, strategy, sync_batch_norm=True) if row.nodes == 1]
    assert [(row.shares, row.reference) for row in rows] == [("even", "full_batch"), ("uneven", "full_batch")]
    assert all(row.passed for row in rows), rows


@pytest.mark.parametrize("strategy", ["data_parallel", "ddp"])
def test_accumulated_gradients_with_batch_norm_pass_the_parity_check(tmp_path: Path, strategy: str) -> None:
    rows = checked(tmp_path, strategy, accumulate=2)
    assert all(row.passed for row in rows), rows

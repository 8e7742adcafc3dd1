"""Resumable state: of this run, whole, or refused in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from train_setup import Parts, make_run, on_ranks, trained

from scalestudy.errors import StudyError
from scalestudy.train.checkpoint import Checkpoints
from scalestudy.train.optimizer import make_optimizer
from scalestudy.train.ranks import Rank

STEP = {"epoch": 1, "step": 3, "loss_sum": 0.1, "epochs": [{"train_loss": float("nan")}]}


def with_state(folder: Path, digest: str, act: Callable[[Checkpoints, Parts, Any], Any], seed: int = 1) -> Any:
    """Act on the checkpoints of a serial run in a process of its own."""

    def work(rank: Rank) -> Any:
        parts = Parts(make_run("serial", seed=seed), rank)
        optimizer = make_optimizer(parts.run.workload.optimizer, parts.strategy.parameters(), fused=True)
        return act(Checkpoints(folder, digest, 0, parts.control), parts, optimizer)

    return on_ranks(work, 1)[0]


def save(checkpoints: Checkpoints, parts: Parts, optimizer: Any) -> list[torch.Tensor]:
    for parameter in parts.strategy.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    checkpoints.save("epoch0001-step000003", parts.strategy, optimizer, dict(STEP))
    return [tensor.detach().clone() for tensor in parts.strategy.parameters()] + [torch.rand(3)]


def load(checkpoints: Checkpoints, parts: Parts, optimizer: Any) -> Any:
    progress = checkpoints.load(parts.strategy, optimizer)
    moments = [state["exp_avg"].sum().item() for state in optimizer.state.values()]
    return progress, [tensor.detach().clone() for tensor in parts.strategy.parameters()] + [torch.rand(3)], moments


def test_state_comes_back_bit_by_bit(tmp_path: Path) -> None:
    saved = with_state(tmp_path, "digest", save)
    progress, found, moments = with_state(tmp_path, "digest", load, seed=2)
    assert all(torch.equal(one, other) for one, other in zip(saved, found, strict=True))
    assert progress["step"] == 3
    assert len(moments) == len(saved) - 1


def test_state_of_another_specification_is_not_taken_up(tmp_path: Path) -> None:
    with_state(tmp_path, "digest", save)
    progress, _, moments = with_state(tmp_path, "another", load)
    assert progress is None
    assert moments == []


def test_earlier_states_are_forgotten_only_when_the_new_one_counts(tmp_path: Path) -> None:
    with_state(tmp_path, "digest", save)
    (tmp_path / "epoch0000-step000000").mkdir()
    with_state(tmp_path, "digest", save)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch0001-step000003", "latest"]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("epoch0001-step000003/rank0.pt", b""),
        ("epoch0001-step000003/rank0.pt", b"not a checkpoint"),
        ("epoch0001-step000003/rank0.pt", None),
        ("latest", b""),
        ("latest", b"\xff\xfe"),
        ("latest", b"epoch0009-step000000\ndigest\n"),
    ],
)
def test_damage_is_one_line_that_names_the_file(file: str, content: bytes | None, tmp_path: Path) -> None:
    with_state(tmp_path, "digest", save)
    if content is None:
        whole = (tmp_path / file).read_bytes()
        content = whole[: len(whole) // 2]
    (tmp_path / file).write_bytes(content)
    named = "epoch0009-step000000/rank0.pt" if b"epoch0009" in content else file
    with pytest.raises(StudyError) as caught:
        with_state(tmp_path, "digest", load)
    assert str(caught.value).startswith(f"{tmp_path / named}: checkpoint cannot be read (")
    assert str(caught.value).endswith(f"delete {tmp_path} to train the run anew")
    assert "\n" not in str(caught.value)


def test_a_run_that_ended_leaves_no_state(tmp_path: Path) -> None:
    trained(make_run("ddp"), tmp_path)
    assert not (tmp_path / "checkpoints").exists()

"""The settings of DistributedDataParallel."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from train_setup import Parts, make_run, on_ranks, trained

from scalestudy.train.ranks import Rank
from scalestudy.train.strategies.ddp import DDP

OPTIONS: list[dict[str, Any]] = [
    {"bucket_mb": 0.05},
    {"static_graph": False},
    {"gradient_as_bucket_view": False},
    {"communication": "gloo"},
    {"compression": "fp16"},
    {"compression": "bf16"},
    {"compression": "powersgd"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, *options.items())))
def test_every_option_trains(options: dict[str, Any], tmp_path: Path) -> None:
    result = trained(make_run("ddp", options=options), tmp_path)
    assert result.epochs[-1].train_loss < 0.5 * result.epochs[0].train_loss
    assert result.epochs[-1].test_accuracy > 0.8
    compression = options.get("compression")
    assert compression is None or f"gloo, {compression} compression" in result.implementation


def after_steps(look: Callable[[DistributedDataParallel], Any], steps: int, **settings: Any) -> Any:
    """What rank 0 finds in its wrapped module after so many backward passes."""
    run = make_run("ddp", **settings)

    def work(rank: Rank) -> Any:
        parts = Parts(run, rank)
        assert isinstance(parts.strategy, DDP)
        parts.train.start_epoch(1, 0)
        clock = parts.strategy.host_clock()
        clock.start_epoch()
        for _ in range(steps):
            clock.start_step()
            for parameter in parts.strategy.parameters():
                parameter.grad = None
            parts.strategy.gradients(parts.train, 0, 32, clock)
        return look(parts.strategy._wrapped)

    return on_ranks(work, run.processes)[0]


def gradients(wrapped: DistributedDataParallel) -> list[Tensor]:
    return [parameter.grad for parameter in wrapped.parameters() if parameter.grad is not None]


def memories(wrapped: DistributedDataParallel) -> int:
    """How many pieces of memory hold the gradients: as many as there are buckets, where gradients are views of them."""
    return len({gradient.untyped_storage().data_ptr() for gradient in gradients(wrapped)})


@pytest.mark.parametrize("static", [True, False])
def test_smaller_buckets_are_more_of_them(static: bool) -> None:
    begun = 3  # before, torch learns the order of the gradients, with one bucket
    assert after_steps(memories, begun, options={"static_graph": static}) == 1
    assert after_steps(memories, begun, options={"static_graph": static, "bucket_mb": 0.05}) == 2


@pytest.mark.parametrize(
    ("settings", "static"),
    [
        ({}, True),
        ({"accumulate": 2}, False),
        ({"options": {"static_graph": False}}, False),
    ],
    ids=["by-itself", "by-itself-accumulating", "off"],
)
def test_the_graph_is_static_unless_switched_off_or_gradients_are_accumulated(
    settings: dict[str, Any], static: bool
) -> None:
    assert after_steps(lambda wrapped: wrapped.static_graph, 1, **settings) == static


@pytest.mark.parametrize("communication", ["gloo", "shared_memory"])
@pytest.mark.parametrize("view", [True, False])
def test_gradients_share_the_memory_of_their_bucket_where_asked_to(view: bool, communication: str) -> None:
    options = {"communication": communication, "gradient_as_bucket_view": view}
    parameters = 6
    assert after_steps(memories, 1, options=options) == (1 if view else parameters)


@pytest.mark.parametrize(
    ("compression", "sent_as"), [("fp16", torch.float16), ("bf16", torch.bfloat16)], ids=["fp16", "bf16"]
)
def test_compressed_gradients_have_the_digits_that_were_sent(compression: str, sent_as: torch.dtype) -> None:
    def survive(wrapped: DistributedDataParallel) -> bool:
        return all(torch.equal(gradient, gradient.to(sent_as).float()) for gradient in gradients(wrapped))

    assert after_steps(survive, 1, options={"compression": compression})
    assert not after_steps(survive, 1)


def test_powersgd_sends_large_gradients_in_rank_two_once_it_has_begun() -> None:
    def rank_of_the_largest(wrapped: DistributedDataParallel) -> int:
        return int(torch.linalg.matrix_rank(max(gradients(wrapped), key=Tensor.numel)))

    begun = 12
    assert after_steps(rank_of_the_largest, begun, options={"compression": "powersgd"}) == 2
    assert after_steps(rank_of_the_largest, begun) > 2


def test_two_ranks_get_the_same_bits_over_gloo_and_through_shared_memory(tmp_path: Path) -> None:
    by_way = {
        way: trained(make_run("ddp", model="cifar_cnn", options={"communication": way}), tmp_path / way)
        for way in ("gloo", "shared_memory")
    }
    assert [way in result.implementation for way, result in by_way.items()] == [True, True]
    assert len({result.weights_sha256 for result in by_way.values()}) == 1


def test_ranks_of_one_node_share_memory_and_simulated_nodes_do_not(tmp_path: Path) -> None:
    for layout, way in (((1, 2), "shared_memory"), ((2, 1), "gloo")):
        result = trained(make_run("ddp", layout, epochs=1), tmp_path / way)
        assert result.implementation == f"torch.nn.parallel.DistributedDataParallel ({way})"

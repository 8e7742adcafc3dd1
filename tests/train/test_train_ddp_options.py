"""The settings of DistributedDataParallel."""

from pathlib import Path
from typing import Any

import pytest
from train_setup import make_run, trained

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

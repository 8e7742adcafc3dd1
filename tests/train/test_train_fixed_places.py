"""The batch that a CUDA graph reads from fixed places is the one the loop would make; what a graph would freeze."""

import random
from collections.abc import Callable

import pytest
import torch

from scalestudy.train.cuda_graph import FixedPlaces, host_random_state
from scalestudy.train.data.batches import EpochBatches
from scalestudy.train.data.tensors import Split


@pytest.mark.parametrize("draw", [random.random, lambda: torch.rand(1)])
def test_what_a_model_draws_on_the_host_is_seen(draw: Callable[[], object]) -> None:
    before = host_random_state()
    assert host_random_state() == before
    draw()
    assert host_random_state() != before


@pytest.mark.parametrize("augment", ["none", "crop_flip"])
def test_fixed_places_follow_the_epoch(augment: str) -> None:
    torch.manual_seed(0)
    split = Split(torch.randint(256, (40, 3, 8, 8), dtype=torch.uint8), torch.arange(40) % 4)
    batches = EpochBatches(split, mean=[0.5] * 3, std=[0.2] * 3, augment=augment)
    batches.start_epoch(seed=1, epoch=0)
    places = FixedPlaces(batches, 16)
    for epoch in (0, 1):
        batches.start_epoch(seed=1, epoch=epoch)
        for start in (0, 16):
            places.fill(start, start + 16)
            images, labels = places.batch(start, start + 16)
            expected_images, expected_labels = batches.batch(start, start + 16)
            assert torch.equal(images, expected_images)
            assert torch.equal(labels, expected_labels)

"""Dropout that draws from a generator for each device."""

import copy

import pytest
import torch
from torch import Tensor, nn

from scalestudy.train.strategies.device_dropout import DeviceDropout


def test_masks_of_threads_differ_by_device_and_step_and_keep_the_mean() -> None:
    layers = [nn.Dropout(0.25), nn.Dropout2d(0.25)]
    replicas = [nn.ModuleList(layers), copy.deepcopy(nn.ModuleList(layers))]
    torch.manual_seed(1)
    masks = DeviceDropout(replicas)
    images = torch.ones(50, 40, 3, 3)

    def drawn() -> list[Tensor]:
        masks.start_step()
        return [layer(images) for replica in replicas for layer in replica]

    values, channels, *others = drawn()
    assert values.unique().tolist() == channels.unique().tolist() == [0.0, pytest.approx(4 / 3)]
    assert torch.equal(channels, channels[:, :, :1, :1].expand_as(channels))
    assert not torch.equal(values, values[:, :, :1, :1].expand_as(values))
    assert values.mean() == pytest.approx(1, abs=0.03)
    assert not torch.equal(values, others[0])
    assert not torch.equal(values, drawn()[0])
    replicas[0].eval()
    assert torch.equal(layers[0](images), images)


def test_layers_that_drop_nothing_draw_nothing_not_even_a_seed() -> None:
    layer = nn.Dropout(0.5)
    masks = DeviceDropout([layer])
    layer.p = 0.0  # as the parity check sets it, after the strategy was made
    before = torch.get_rng_state()
    masks.start_step()
    assert torch.equal(torch.get_rng_state(), before)
    layer.p = 0.5
    masks.start_step()
    assert not torch.equal(torch.get_rng_state(), before)

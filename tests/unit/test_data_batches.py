"""Batches: right pixels, one order for all ranks, the same numbers every time."""

import pytest
import torch
from torch.nn.functional import pad

from scalestudy.errors import StudyError
from scalestudy.train.data.augment import PADDING, crop_flip, draw_shifts
from scalestudy.train.data.batches import EpochBatches, ResidentImages
from scalestudy.train.data.tensors import Split

FORMATS = [torch.contiguous_format, torch.channels_last]


def split(count=20, shape=(3, 12, 9), seed=0):
    draw = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (count, *shape), generator=draw, dtype=torch.uint8)
    return Split(images, torch.randint(10, (count,), generator=draw))


def batches(data=None, **changes):
    settings = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.3], "augment": "crop_flip", **changes}
    return EpochBatches(data or split(), **settings)


def plain(image, top, left, flip):
    """One image [C, H, W] padded, cropped and mirrored by slicing."""
    _, height, width = image.shape
    out = pad(image, (PADDING,) * 4)[:, top : top + height, left : left + width]
    return out.flip(2) if flip else out


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_crop_flip_is_what_slicing_gives_for_every_shift(channels):
    shifts = torch.cartesian_prod(torch.arange(9), torch.arange(9), torch.arange(2)).T
    data = split(shifts.shape[1], (channels, 7, 10)).images
    got = crop_flip(data.permute(0, 2, 3, 1).contiguous(), shifts).permute(0, 3, 1, 2)
    for image, out, (top, left, flip) in zip(data, got, shifts.T.tolist(), strict=True):
        assert out.equal(plain(image, top, left, flip))


def test_crop_flip_is_what_torchvision_gives():
    from torchvision.transforms.functional import crop, hflip
    from torchvision.transforms.functional import pad as torchvision_pad

    data, shifts = split(30).images, draw_shifts(30, torch.Generator().manual_seed(3))
    got = crop_flip(data.permute(0, 2, 3, 1).contiguous(), shifts).permute(0, 3, 1, 2)
    for image, out, (top, left, flip) in zip(data, got, shifts.T.tolist(), strict=True):
        expected = crop(torchvision_pad(image, [PADDING]), top, left, 12, 9)
        assert out.equal(hflip(expected) if flip else expected)


def test_shifts_reach_every_position_and_are_balanced():
    shifts = draw_shifts(20_000, torch.Generator().manual_seed(0))
    for row in shifts[:2]:
        counts = torch.bincount(row, minlength=2 * PADDING + 1)
        assert len(counts) == 2 * PADDING + 1
        assert counts.min() > 2000
    assert abs(shifts[2].double().mean() - 0.5) < 0.02


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_batch_is_the_augmented_image_normalized(memory_format, dtype):
    data = split()
    made = batches(data, memory_format=memory_format, dtype=dtype)
    made.start_epoch(seed=1, epoch=2)
    images, labels = made.batch(4, 11)
    mean, std = torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1), torch.tensor([0.2, 0.25, 0.3]).view(3, 1, 1)
    for place, (image, label) in enumerate(zip(images, labels, strict=True), start=4):
        number = made.order[place]
        expected = (plain(data.images[number], *made.shifts[:, place].tolist()).to(dtype) / 255 - mean) / std
        torch.testing.assert_close(image, expected.to(dtype), rtol=1e-5, atol=2e-6)
        assert label == data.labels[number]
    assert images.dtype == dtype
    assert images.is_contiguous(memory_format=memory_format)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("memory_format", FORMATS)
def test_an_augmented_batch_has_the_strides_of_its_memory_format(channels, memory_format):
    channel = {"mean": [0.5] * channels, "std": [0.2] * channels}
    made = batches(split(shape=(channels, 12, 9)), memory_format=memory_format, **channel)
    made.start_epoch(seed=1, epoch=0)
    assert made.batch(0, 5)[0].stride() == torch.empty(5, channels, 12, 9, memory_format=memory_format).stride()


@pytest.mark.parametrize("augment", ["none", "crop_flip"])
@pytest.mark.parametrize("memory_format", FORMATS)
def test_shares_of_two_ranks_are_the_serial_batch(augment, memory_format):
    serial, first, second = (batches(augment=augment, memory_format=memory_format) for _ in range(3))
    for made in (serial, first, second):
        made.start_epoch(seed=5, epoch=1)
    images, labels = serial.batch(3, 14)
    shares = [first.batch(3, 9), second.batch(9, 14)]
    assert torch.cat([share[0] for share in shares]).equal(images)
    assert torch.cat([share[1] for share in shares]).equal(labels)


def test_an_epoch_has_every_image_once():
    made = batches()
    made.start_epoch(seed=0, epoch=0)
    assert sorted(made.order.tolist()) == list(range(20))
    assert len(made) == 20


def test_the_same_seed_and_epoch_repeat_and_others_do_not():
    made = batches(split(64))

    def drawn(seed, epoch):
        made.start_epoch(seed, epoch)
        return made.batch(0, 64)[0]

    reference = drawn(1, 1)
    assert drawn(1, 1).equal(reference)
    for seed, epoch in ((1, 2), (2, 1), (0, 1), (1, 0)):
        assert not drawn(seed, epoch).equal(reference)


def test_augmentation_does_not_change_the_order():
    plainly, augmented = batches(augment="none"), batches()
    for made in (plainly, augmented):
        made.start_epoch(seed=1, epoch=3)
    assert plainly.order.equal(augmented.order)


def test_fewer_samples_are_the_beginning_of_the_same_order():
    made = batches()
    made.start_epoch(seed=1, epoch=1)
    whole = made.order.clone()
    made.start_epoch(seed=1, epoch=1, samples=6)
    assert made.order.equal(whole[:6])
    with pytest.raises(StudyError, match="an epoch of 21 training images was asked for, but there are only 20"):
        made.start_epoch(seed=1, epoch=1, samples=21)


@pytest.mark.parametrize("memory_format", FORMATS)
def test_the_extreme_bytes_become_the_extreme_numbers(memory_format):
    images = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 12, 9).contiguous()
    made = batches(Split(images, torch.arange(2)), augment="none", memory_format=memory_format, dtype=torch.float64)
    made.start_epoch(seed=0, epoch=0)
    got, labels = made.batch(0, 2)
    for value, label in ((0.0, 0), (1.0, 1)):
        one = got[labels == label][0]
        for channel, (mean, std) in enumerate(((0.5, 0.2), (0.4, 0.25), (0.3, 0.3))):
            torch.testing.assert_close(one[channel], torch.full((12, 9), (value - mean) / std, dtype=torch.float64))


def test_a_channel_that_never_changes_stays_finite():
    images = torch.full((4, 1, 5, 5), 255, dtype=torch.uint8)
    made = EpochBatches(Split(images, torch.zeros(4, dtype=torch.int64)), mean=[1.0], std=[0.0])
    made.start_epoch(seed=0, epoch=0)
    assert made.batch(0, 4)[0].equal(torch.zeros(4, 1, 5, 5))


def test_batches_do_not_change_the_images():
    data = split()
    before = data.images.clone()
    made = batches(data, augment="none", mean=[0.1] * 3)
    made.start_epoch(seed=0, epoch=0)
    made.batch(0, 20)
    made.resident.batch(0, 20)
    assert data.images.equal(before)


@pytest.mark.parametrize("memory_format", FORMATS)
def test_evaluation_keeps_the_order_and_does_not_augment(memory_format):
    data = split(10)
    kept = ResidentImages(
        data,
        mean=[0.0] * 3,
        std=[1.0] * 3,
        device="cpu",
        dtype=torch.float32,
        memory_format=memory_format,
    )
    images, labels = kept.batch(2, 10)
    torch.testing.assert_close(images, data.images[2:10] / 255, rtol=1e-6, atol=1e-6)
    assert labels.equal(data.labels[2:10])
    assert images.is_contiguous(memory_format=memory_format)

"""Synthetic images: deterministic, of any shape, learnable but not trivially."""

from pathlib import Path

import numpy as np
import pytest

from scalestudy.errors import StudyError
from scalestudy.train.data import synthetic

NOWHERE = Path("does-not-exist")


def load(**options):
    return synthetic.load(NOWHERE, False, **options)


def test_the_same_options_give_the_same_images():
    first, second = load(train=50, test=20), load(train=50, test=20)
    np.testing.assert_array_equal(first.train_images, second.train_images)
    np.testing.assert_array_equal(first.test_labels, second.test_labels)


def test_an_image_is_the_same_in_a_larger_data_set():
    small, large = load(train=30, test=5), load(train=synthetic.CHUNK + 10, test=40)
    np.testing.assert_array_equal(small.train_images, large.train_images[:30])
    np.testing.assert_array_equal(small.test_labels, large.test_labels[:5])


def test_training_and_test_images_differ():
    arrays = load(train=50, test=50)
    assert (arrays.train_images != arrays.test_images).mean() > 0.9


@pytest.mark.parametrize(("shape", "classes"), [((1, 28, 28), 10), ((3, 64, 48), 7), ((2, 1, 9), 2), ([4, 3, 3], 1)])
def test_any_shape_and_number_of_classes(shape, classes):
    arrays = load(shape=shape, classes=classes, train=40, test=10)
    assert arrays.train_images.shape == (40, *shape)
    assert len(arrays.classes) == classes
    assert arrays.train_labels.max() < classes


def test_classes_can_be_told_apart_but_not_wholly():
    arrays = load(train=4000, test=1000)
    means = np.stack([arrays.train_images[arrays.train_labels == label].mean(axis=0).ravel() for label in range(10)])
    images = arrays.test_images.reshape(1000, -1).astype(np.float64)
    distances = (means**2).sum(axis=1) - 2 * images @ means.T  # up to a term that all classes share
    accuracy = (distances.argmin(axis=1) == arrays.test_labels).mean()
    assert 0.75 < accuracy < 0.9999


def test_more_noise_is_harder():
    def spread(noise):
        arrays = load(train=500, test=10, noise=noise)
        return np.mean([arrays.train_images[arrays.train_labels == label].std(axis=0).mean() for label in range(10)])

    assert spread(0.1) < spread(0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": [3, 32]}, r"data\.options\.shape: is \[3, 32\], and should be \[channels, height, width\]"),
        ({"shape": "3x32x32"}, "data.options.shape"),
        ({"shape": [3, 32, 0]}, "data.options.shape"),
        ({"classes": 0}, "data.options.classes: is 0, and should be a whole number from 1 on"),
        ({"train": "many"}, "data.options.train: is 'many'"),
        ({"test": True}, "data.options.test"),
        ({"noise": -1}, "data.options.noise: is -1, and should be a number from 0 on"),
        ({"noise": "high"}, "data.options.noise"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(StudyError, match=message):
        load(**options)

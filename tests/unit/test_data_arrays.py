"""What a loader returns is checked as a whole."""

import numpy as np
import pytest

from scalestudy.errors import StudyError
from scalestudy.train.data.arrays import Arrays


def parts(**changes):
    good = {
        "train_images": np.zeros((4, 1, 5, 6), np.uint8),
        "train_labels": np.array([0, 1, 2, 0]),
        "test_images": np.zeros((2, 1, 5, 6), np.uint8),
        "test_labels": np.array([2, 1]),
        "classes": ("a", "b", "c"),
        "source": "a test",
        "license": "none",
    }
    return {**good, **changes}


def test_parts_that_fit_are_accepted():
    arrays = Arrays(**parts())
    assert arrays.train_images.shape == (4, 1, 5, 6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_images": np.zeros((4, 1, 5, 6))}, "train_images is float64, and should be a NumPy array of uint8"),
        ({"test_labels": [2, 1]}, "test_labels is list, and should be a NumPy array of int64"),
        ({"test_labels": np.array([2, 1], np.uint8)}, "test_labels is uint8"),
        ({"train_images": np.zeros((4, 5, 6), np.uint8)}, r"shape \[4, 5, 6\], and should have \[N, C, H, W\]"),
        ({"train_labels": np.array([0, 1, 2])}, "4 train images but 3 labels"),
        ({"test_labels": np.array([3, 0])}, r"test_labels run from 0 to 3, and should lie within 0\.\.2"),
        ({"test_labels": np.array([-1, 0])}, "test_labels run from -1 to 0"),
        ({"test_images": np.zeros((2, 1, 6, 5), np.uint8)}, "both must have one shape"),
        (
            {"test_images": np.zeros((0, 1, 5, 6), np.uint8), "test_labels": np.zeros(0, np.int64)},
            "test_images is empty",
        ),
        ({"classes": ()}, "has no classes"),
    ],
)
def test_parts_that_do_not_fit_are_refused_in_one_line(changes, message):
    with pytest.raises(StudyError, match=message) as refusal:
        Arrays(**parts(**changes))
    assert "\n" not in str(refusal.value)

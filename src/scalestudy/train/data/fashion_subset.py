"""The part of Fashion-MNIST that ships with the package, so that a first study needs no download.

The first 600 training and 200 test images of each class, in original order; made by scripts/make_fashion_subset.py.
"""

import zipfile
from importlib import resources
from pathlib import Path

import numpy as np

from scalestudy.errors import StudyError
from scalestudy.records.prepared import ARRAY_FILES
from scalestudy.train.data.arrays import Arrays

FILE_NAME = "fashion_mnist_subset.npz"
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def load(folder: Path, download: bool) -> Arrays:  # noqa: ARG001  (every loader has the same arguments)
    """6,000 + 2,000 images [1, 28, 28] of ten classes. Raises StudyError when the installed file is damaged."""
    file = resources.files("scalestudy.train.data") / FILE_NAME
    try:
        with file.open("rb") as stream, np.load(stream) as archive:
            parts = {name: archive[name] for name in ARRAY_FILES}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise StudyError(f"{file}: is missing or damaged ({error}): install scalestudy again") from error
    return Arrays(
        train_images=parts["train_images"],
        train_labels=parts["train_labels"].astype(np.int64),
        test_images=parts["test_images"],
        test_labels=parts["test_labels"].astype(np.int64),
        classes=CLASSES,
        source="https://github.com/zalandoresearch/fashion-mnist (the first 600 + 200 images of each class)",
        license="MIT, Zalando SE",
    )

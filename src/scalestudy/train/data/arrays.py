"""What every loader of a data set returns."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scalestudy.errors import StudyError

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Arrays:
    """A whole data set in memory. Raises StudyError when its parts do not fit together."""

    train_images: Images
    """uint8 [N, C, H, W]"""
    train_labels: Labels
    """int64 [N], from 0 to the number of classes - 1"""
    test_images: Images
    test_labels: Labels
    classes: tuple[str, ...]
    """Names of the classes, by label."""
    source: str
    """Where the data come from, in words or as an address."""
    license: str

    def __post_init__(self) -> None:
        if not self.classes:
            raise StudyError("data set: has no classes: name at least one")
        for split in ("train", "test"):
            self._check_split(split)
        if self.train_images.shape[1:] != self.test_images.shape[1:]:
            raise StudyError(
                f"data set: training images are {list(self.train_images.shape[1:])} "
                f"and test images {list(self.test_images.shape[1:])}: both must have one shape"
            )

    def _check_split(self, split: str) -> None:
        images, labels = getattr(self, f"{split}_images"), getattr(self, f"{split}_labels")
        for name, array, dtype, axes in (
            (f"{split}_images", images, np.uint8, 4),
            (f"{split}_labels", labels, np.int64, 1),
        ):
            if not isinstance(array, np.ndarray) or array.dtype != dtype:
                found = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
                raise StudyError(f"data set: {name} is {found}, and should be a NumPy array of {np.dtype(dtype)}")
            if array.ndim != axes:
                layout = "[N, C, H, W]" if axes == 4 else "[N]"
                raise StudyError(f"data set: {name} has shape {list(array.shape)}, and should have {layout}")
        if 0 in images.shape:
            raise StudyError(f"data set: {split}_images is empty (shape {list(images.shape)})")
        if len(images) != len(labels):
            raise StudyError(f"data set: {len(images)} {split} images but {len(labels)} labels")
        lowest, highest = int(labels.min()), int(labels.max())
        last = len(self.classes) - 1
        if lowest < 0 or highest > last:
            raise StudyError(
                f"data set: {split}_labels run from {lowest} to {highest}, and should lie within 0..{last}"
            )

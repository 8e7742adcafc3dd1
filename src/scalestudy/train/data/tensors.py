"""Prepared arrays as tensors, memory-mapped."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from scalestudy.errors import StudyError
from scalestudy.records.files import read_model
from scalestudy.records.prepared import Prepared


@dataclass(frozen=True)
class Split:
    """The training or the test part of a data set."""

    images: Tensor
    """uint8 [N, C, H, W]"""
    labels: Tensor
    """int64 [N]"""

    def __len__(self) -> int:
        return len(self.labels)


def load_meta(folder: Path) -> Prepared:
    """What a prepared data set is. Raises StudyError when it is not prepared or meta.json is damaged."""
    try:
        return read_model(folder / "meta.json", Prepared)
    except StudyError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            todo = f"`scalestudy data {folder.name}` prepares it"
            raise StudyError(f"{folder}: the data set is not prepared; {todo}") from error.__cause__
        raise


def load_split(folder: Path, split: Literal["train", "test"], limit: int | None = None) -> Split:
    """Map one part of a prepared data set into memory, or its first ``limit`` images.

    Raises StudyError naming the file that is missing or cut short, or the key of a limit that is too large.
    """
    meta = load_meta(folder)
    available = meta.train if split == "train" else meta.test
    if limit is not None and limit > available:
        raise StudyError(f"data.{split}: is {limit}, but {meta.title} has only {available} {split} images")
    images = _map(folder, f"{split}_images", meta, (available, *meta.shape), "uint8")
    labels = _map(folder, f"{split}_labels", meta, (available,), "int64")
    return Split(images[:limit], labels[:limit])


def _map(folder: Path, name: str, meta: Prepared, shape: tuple[int, ...], dtype: str) -> Tensor:
    path = folder / f"{name}.npy"
    try:
        found, expected = path.stat().st_size, meta.files[name].bytes
        if found != expected:
            raise StudyError(
                f"{path}: has {found} bytes, and should have {expected}: delete the folder and prepare it again"
            )
        # Copy on write: nothing reaches the file, and torch gets the writable memory that it insists on.
        array = np.load(path, mmap_mode="c")
    except OSError as error:
        raise StudyError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (KeyError, ValueError) as error:
        raise StudyError(f"{path}: is damaged ({error}): delete the folder and prepare it again") from error
    if array.shape != shape or array.dtype != dtype:
        raise StudyError(f"{path}: holds {array.dtype} {list(array.shape)}, and should hold {dtype} {list(shape)}")
    return torch.from_numpy(array)

"""prepared/KEY/meta.json: what the arrays of a prepared data set are."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

ARRAY_FILES = ("train_images", "train_labels", "test_images", "test_labels")
"""The arrays of a prepared data set, each in ``NAME.npy``."""


class ArrayFile(BaseModel):
    """One npy file."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    bytes: int
    """Size of the whole file."""
    sha256: str


class Prepared(BaseModel):
    """A prepared data set: images uint8 [N, C, H, W] and labels int64 [N], memory-mappable."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_version: Literal[1] = 1
    key: str
    """Name of its folder (see spec/data_key.py)."""
    title: str
    synthetic: bool
    shape: tuple[int, int, int]
    """Channels, height, width."""
    classes: list[str]
    train: int
    """Training images."""
    test: int
    """Test images."""
    mean: list[float]
    """Of each channel over all training images, pixel values scaled to 0..1."""
    std: list[float]
    """Likewise the standard deviation; 0 for a channel that never changes."""
    files: dict[str, ArrayFile]
    """By the name in ARRAY_FILES."""
    sha256: str
    """Hash over the hashes of the files in the order of ARRAY_FILES: equal hashes are equal data."""
    source: str
    license: str

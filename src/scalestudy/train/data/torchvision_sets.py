"""The data sets that torchvision knows: pre-staged or downloaded, checked, read by torchvision's own classes.

torchvision is imported inside the functions: the import alone takes 6 to 7 s, and only staging needs it.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scalestudy.errors import StudyError
from scalestudy.train.data import idx_files
from scalestudy.train.data.arrays import Arrays
from scalestudy.train.data.downloads import download_into


def mnist(folder: Path, download: bool) -> Arrays:
    """MNIST: 60,000 + 10,000 images [1, 28, 28]. Raises StudyError: missing, damaged, cannot be downloaded."""
    return _from_idx(idx_files.IDX_SETS["mnist"], folder, download)


def fashion_mnist(folder: Path, download: bool) -> Arrays:
    """Fashion-MNIST: 60,000 + 10,000 images [1, 28, 28]. Raises StudyError as ``mnist`` does."""
    return _from_idx(idx_files.IDX_SETS["fashion_mnist"], folder, download)


def cifar10(folder: Path, download: bool) -> Arrays:
    """CIFAR-10: 50,000 + 10,000 images [3, 32, 32]. Raises StudyError as ``mnist`` does."""
    return _from_pickles("CIFAR10", "CIFAR-10", folder, download)


def cifar100(folder: Path, download: bool) -> Arrays:
    """CIFAR-100 with its 100 fine labels: 50,000 + 10,000 images [3, 32, 32]. Raises StudyError as ``mnist`` does."""
    return _from_pickles("CIFAR100", "CIFAR-100", folder, download)


def _from_idx(facts: idx_files.IdxSet, folder: Path, download: bool) -> Arrays:
    found = idx_files.find(facts, folder)
    advice = idx_files.what_to_put_where(facts, folder)
    if found is None and not download:
        raise StudyError(f"{folder}: does not hold {facts.title}: {advice}, or set data.download: true")
    from torchvision import datasets

    kind = getattr(datasets, facts.torchvision_name)
    if found is None:
        download_into(folder, facts.title, advice, lambda aside: kind(aside, download=True))
        found = idx_files.find(facts, folder)
        assert found is not None, "torchvision downloaded into another layout"
    with tempfile.TemporaryDirectory() as scratch:
        raw = Path(scratch) / facts.torchvision_name / "raw"
        raw.mkdir(parents=True)
        for file, path in found.items():
            (raw / file.name).write_bytes(idx_files.content(file, path))
        train, test = (kind(scratch, train=part) for part in (True, False))
    return Arrays(
        train_images=train.data.unsqueeze(1).numpy(),
        train_labels=train.targets.numpy(),
        test_images=test.data.unsqueeze(1).numpy(),
        test_labels=test.targets.numpy(),
        classes=tuple(train.classes),
        source=facts.source,
        license=facts.license,
    )


@dataclass(frozen=True)
class _CifarFiles:
    """What torchvision's class says about its files."""

    kind: Any
    title: str
    folder: Path

    @property
    def archive(self) -> Path:
        return self.folder / str(self.kind.filename)

    @property
    def batches(self) -> Path:
        return self.folder / str(self.kind.base_folder)

    @property
    def advice(self) -> str:
        return f"put {self.archive.name} or the unpacked folder {self.batches.name} into {self.folder}"

    def check_batches(self) -> None:
        meta = (self.kind.meta["filename"], self.kind.meta["md5"])
        for name, md5 in (*self.kind.train_list, *self.kind.test_list, meta):
            _check_file(self.batches / name, md5)


def _from_pickles(torchvision_name: str, title: str, folder: Path, download: bool) -> Arrays:
    from torchvision import datasets

    files = _CifarFiles(getattr(datasets, torchvision_name), title, folder)
    if not files.batches.is_dir() and not files.archive.is_file():
        if not download:
            raise StudyError(f"{folder}: does not hold {title}: {files.advice}, or set data.download: true")
        download_into(folder, title, files.advice, lambda aside: files.kind(aside, download=True))
    if files.batches.is_dir():
        files.check_batches()  # before torchvision unpickles anything
        return _read_pickles(files, folder)
    _check_file(files.archive, files.kind.tgz_md5)
    with tempfile.TemporaryDirectory() as scratch:
        datasets.utils.extract_archive(files.archive, scratch)
        return _read_pickles(files, Path(scratch))


def _read_pickles(files: _CifarFiles, root: Path) -> Arrays:
    train, test = (files.kind(root, train=part) for part in (True, False))
    return Arrays(
        train_images=np.ascontiguousarray(train.data.transpose(0, 3, 1, 2)),
        train_labels=np.asarray(train.targets, dtype=np.int64),
        test_images=np.ascontiguousarray(test.data.transpose(0, 3, 1, 2)),
        test_labels=np.asarray(test.targets, dtype=np.int64),
        classes=tuple(train.classes),
        source="https://www.cs.toronto.edu/~kriz/cifar.html",
        license="none stated; cite Krizhevsky: Learning multiple layers of features from tiny images (2009)",
    )


def _check_file(path: Path, md5: str) -> None:
    from torchvision.datasets.utils import calculate_md5

    if not path.is_file():
        raise StudyError(f"{path}: is missing: copy or download the data set again")
    try:
        found = calculate_md5(path)
    except OSError as error:
        raise StudyError(f"{path}: cannot be read: {error.strerror or error}") from error
    if found != md5:
        size = path.stat().st_size
        raise StudyError(
            f"{path}: is cut short or not the original: its {size} bytes have MD5 {found}, and should have {md5}"
        )

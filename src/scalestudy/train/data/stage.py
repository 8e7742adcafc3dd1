"""Stage a data set: from its loader to memory-mappable arrays in ``STORAGE/prepared/KEY``, whole or not at all."""

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scalestudy.errors import StudyError
from scalestudy.records.files import read_model, write_model
from scalestudy.records.prepared import ARRAY_FILES, ArrayFile, Prepared
from scalestudy.spec.catalog import DATASETS
from scalestudy.spec.data_key import prepared_key
from scalestudy.spec.workload import DataSpec
from scalestudy.train.data.arrays import Arrays, Images
from scalestudy.train.imports import call, resolve, unknown

__all__ = ["prepare", "prepared_key"]

META = "meta.json"


def prepare(spec: DataSpec, storage: Path, download: bool) -> Path:
    """Prepare a data set unless it is there already, and return its folder.

    Several processes may do so at once. A folder that is damaged or of another version is replaced. Raises StudyError
    when the loader cannot be found or fails, the data are wrong, or the folder cannot be written.
    """
    key = prepared_key(spec)
    target = storage / "prepared" / key
    if _is_whole(target, key):
        return target
    loader = _loader(spec.name)
    arrays = call(resolve(loader.path, "data.name"), loader.path, "data.options", storage, download, **spec.options)
    if not isinstance(arrays, Arrays):
        raise StudyError(f"data.name: {loader.path} returned {type(arrays).__name__}, and should return Arrays")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{key}.", dir=target.parent))
        try:
            aside.chmod(0o755)  # mkdtemp's folders are private, but a group may share its data
            _write(aside, arrays, loader, key)
            _publish(aside, target, key)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise StudyError(f"{target}: cannot be written: {error.strerror or error}") from error
    return target


@dataclass(frozen=True)
class _Loader:
    path: str
    title: str
    synthetic: bool


def _loader(name: str) -> _Loader:
    if name in DATASETS:
        facts = DATASETS[name]
        return _Loader(facts.implementation, facts.title, facts.synthetic)
    if ":" in name:
        return _Loader(name, name.rpartition(":")[2], synthetic=False)
    raise unknown(name, DATASETS, "data.name", "data set")


def _write(folder: Path, arrays: Arrays, loader: _Loader, key: str) -> None:
    files = {}
    for name in ARRAY_FILES:
        path = folder / f"{name}.npy"
        np.save(path, np.ascontiguousarray(getattr(arrays, name)))
        files[name] = _facts(path)
    mean, std = _channel_statistics(arrays.train_images)
    channels, height, width = arrays.train_images.shape[1:]
    meta = Prepared(
        key=key,
        title=loader.title,
        synthetic=loader.synthetic,
        shape=(channels, height, width),
        classes=list(arrays.classes),
        train=len(arrays.train_images),
        test=len(arrays.test_images),
        mean=mean,
        std=std,
        files=files,
        sha256=_over_all(files),
        source=arrays.source,
        license=arrays.license,
    )
    write_model(folder / META, meta)


def _publish(aside: Path, target: Path, key: str) -> None:
    """Rename the finished folder into place, unless another process was first with a whole one."""
    for _ in range(10):
        try:
            aside.rename(target)
            return
        except OSError:
            if not target.exists() and not target.is_symlink():
                raise
        if _is_whole(target, key):
            return
        with tempfile.TemporaryDirectory(prefix=f".{key}.old.", dir=target.parent) as trash:
            try:
                target.rename(Path(trash) / "stale")
            except FileNotFoundError:
                continue  # another process replaced it just now
    raise StudyError(f"{target}: other processes keep replacing it: prepare the data in one process first")


def _is_whole(folder: Path, key: str) -> bool:
    """Whether the folder holds what its meta.json says, under this key and in this version."""
    try:
        meta = read_model(folder / META, Prepared)
        return (
            meta.key == key
            and {name: _facts(folder / f"{name}.npy") for name in ARRAY_FILES} == meta.files
            and meta.sha256 == _over_all(meta.files)
        )
    except (StudyError, OSError):
        return False


def _facts(path: Path) -> ArrayFile:
    with path.open("rb") as stream:
        return ArrayFile(bytes=path.stat().st_size, sha256=hashlib.file_digest(stream, "sha256").hexdigest())


def _over_all(files: dict[str, ArrayFile]) -> str:
    return hashlib.sha256("".join(files[name].sha256 for name in ARRAY_FILES).encode()).hexdigest()


def _channel_statistics(images: Images) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel in 0..1, exact: from counts of the 256 grey levels."""
    levels = np.arange(256) / 255
    means, deviations = [], []
    for channel in range(images.shape[1]):
        counts = np.zeros(256, dtype=np.int64)
        for start in range(0, len(images), 1024):  # bincount widens its input to 8 bytes a pixel
            counts += np.bincount(images[start : start + 1024, channel].ravel(), minlength=256)
        mean = float(counts @ levels / counts.sum())
        means.append(mean)
        deviations.append(float(np.sqrt(counts @ (levels - mean) ** 2 / counts.sum())))
    return means, deviations

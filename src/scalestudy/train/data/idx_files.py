"""The four IDX files of MNIST and Fashion-MNIST: where they may lie, and whether they are the originals.

torchvision checks sums only while it downloads, and only those of one particular gzip of each file. A mirror or a
Linux distribution that packs them anew has other sums for the same data, so what is checked here is the content.
"""

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

from scalestudy.errors import StudyError


@dataclass(frozen=True)
class IdxFile:
    """One file, unpacked."""

    name: str
    bytes: int
    md5: str


@dataclass(frozen=True)
class IdxSet:
    """A data set in IDX files."""

    title: str
    torchvision_name: str
    """The torchvision class, which is also its folder: ``NAME/raw``."""
    plain_folder: str
    """A folder that may hold the files directly."""
    files: tuple[IdxFile, ...]
    source: str
    license: str


def _files(*md5: str) -> tuple[IdxFile, ...]:
    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    sizes = (16 + 60_000 * 784, 8 + 60_000, 16 + 10_000 * 784, 8 + 10_000)
    return tuple(IdxFile(*facts) for facts in zip(names, sizes, md5, strict=True))


IDX_SETS = {
    "mnist": IdxSet(
        title="MNIST",
        torchvision_name="MNIST",
        plain_folder="mnist",
        files=_files(
            "6bbc9ace898e44ae57da46a324031adb",
            "a25bea736e30d166cdddb491f175f624",
            "2646ac647ad5339dbf082846283269ea",
            "27ae3e4e09519cfbb04c329615203637",
        ),
        source="LeCun, Cortes, Burges: The MNIST database of handwritten digits",
        license="CC BY-SA 3.0",
    ),
    "fashion_mnist": IdxSet(
        title="Fashion-MNIST",
        torchvision_name="FashionMNIST",
        plain_folder="fashion-mnist",
        files=_files(
            "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "9018921c3c673c538a1fc5bad174d6f9",
            "8181f5470baa50b63fa0f6fddb340f0a",
            "15d484375f8d13e6eb1aabb0c3f46965",
        ),
        source="https://github.com/zalandoresearch/fashion-mnist",
        license="MIT, Zalando SE",
    ),
}


def find(facts: IdxSet, folder: Path) -> dict[IdxFile, Path] | None:
    """Where each of the files lies, gzipped or not, if one folder has them all."""
    for place in places(facts, folder):
        paths = {file: path for file in facts.files if (path := _find_one(place / file.name)) is not None}
        if len(paths) == len(facts.files):
            return paths
    return None


def places(facts: IdxSet, folder: Path) -> tuple[Path, Path]:
    """The folders that are searched: torchvision's layout first."""
    return folder / facts.torchvision_name / "raw", folder / facts.plain_folder


def what_to_put_where(facts: IdxSet, folder: Path) -> str:
    """The advice for somebody without the files: which, and into which folder."""
    names = ", ".join(file.name for file in facts.files)
    here, or_here = places(facts, folder)
    return f"put {names} (each also with .gz) into {here} or {or_here}"


def content(file: IdxFile, path: Path) -> bytes:
    """The unpacked bytes of one file.

    Raises StudyError naming the file when it cannot be read or unpacked, or is not the original.
    """
    try:
        raw = path.read_bytes()
        data = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise StudyError(
            f"{path}: is cut short or damaged ({len(raw)} bytes, {error}): copy or download it again"
        ) from error
    except OSError as error:
        raise StudyError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) != file.bytes:
        raise StudyError(
            f"{path}: holds {len(data)} bytes unpacked, and should hold {file.bytes}: copy or download it again"
        )
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if found != file.md5:
        raise StudyError(f"{path}: is not the original: its content has MD5 {found}, and should have {file.md5}")
    return data


def _find_one(path: Path) -> Path | None:
    zipped = path.with_name(f"{path.name}.gz")
    return next((candidate for candidate in (path, zipped) if candidate.is_file()), None)

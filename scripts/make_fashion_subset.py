"""Make src/scalestudy/train/data/fashion_mnist_subset.npz from the original files of Fashion-MNIST.

Usage: python scripts/make_fashion_subset.py SOURCE_FOLDER [TARGET]

SOURCE_FOLDER holds the four IDX files, gzipped or not (Debian's package dataset-fashion-mnist puts them into
/usr/share/datasets/fashion-mnist). Their checksums are verified. The same files give the same bytes.
"""

import io
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scalestudy.errors import StudyError
from scalestudy.records.files import write_bytes
from scalestudy.train.data import idx_files
from scalestudy.train.data.fashion_subset import FILE_NAME

PER_CLASS = {"train": 600, "t10k": 200}
TARGET = Path(__file__).parents[1] / "src/scalestudy/train/data" / FILE_NAME


def make(source: Path) -> bytes:
    """The npz archive: the first images of each class in original order, labels as uint8."""
    arrays: dict[str, npt.NDArray[np.uint8]] = {}
    for prefix, count in PER_CLASS.items():
        labels = _content(source, f"{prefix}-labels-idx1-ubyte", header=8)
        images = _content(source, f"{prefix}-images-idx3-ubyte", header=16).reshape(-1, 1, 28, 28)
        firsts = [np.flatnonzero(labels == label)[:count] for label in range(10)]
        chosen = np.sort(np.concatenate(firsts))
        split = "train" if prefix == "train" else "test"
        arrays[f"{split}_images"], arrays[f"{split}_labels"] = images[chosen], labels[chosen]
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)  # numpy gives every member the same fixed date
    return stream.getvalue()


def _content(source: Path, name: str, header: int) -> npt.NDArray[np.uint8]:
    file = next(file for file in idx_files.IDX_SETS["fashion_mnist"].files if file.name == name)
    plain, zipped = source / name, source / f"{name}.gz"
    return np.frombuffer(idx_files.content(file, plain if plain.is_file() else zipped), np.uint8, offset=header)


def main() -> int:
    """Write the file; 2 when something is wrong with the arguments or the source."""
    if not 2 <= len(sys.argv) <= 3:
        print(__doc__, file=sys.stderr)
        return 2
    target = Path(sys.argv[2]) if len(sys.argv) == 3 else TARGET
    try:
        archive = make(Path(sys.argv[1]))
        write_bytes(target, archive)
    except StudyError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{target}: {len(archive)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())

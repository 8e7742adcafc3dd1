"""The subset of Fashion-MNIST that ships with the package."""

import io
import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
from needed import need

from scalestudy.train.data import fashion_subset

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "make_fashion_subset.py"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def shipped():
    return (resources.files("scalestudy.train.data") / fashion_subset.FILE_NAME).read_bytes()


def test_it_is_stratified_and_small():
    arrays = fashion_subset.load(Path("unused"), download=False)
    assert arrays.train_images.shape == (6000, 1, 28, 28)
    assert arrays.test_images.shape == (2000, 1, 28, 28)
    assert np.bincount(arrays.train_labels).tolist() == [600] * 10
    assert np.bincount(arrays.test_labels).tolist() == [200] * 10
    assert len(shipped()) < 5_000_000


def test_its_license_ships_with_it():
    note = (resources.files("scalestudy.train.data") / "FASHION_MNIST_LICENSE.txt").read_text()
    assert "MIT License" in note
    assert "Zalando SE" in note


def test_the_script_makes_it_again(tmp_path):
    need(DEBIAN.is_dir(), "Debian's package dataset-fashion-mnist is not installed")
    made = []
    for name in ("first.npz", "second.npz"):
        subprocess.run([sys.executable, SCRIPT, DEBIAN, tmp_path / name], check=True, capture_output=True)
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]
    # Another zlib may pack the same arrays into other bytes, so the shipped file is compared by content.
    with np.load(io.BytesIO(made[0])) as again, np.load(io.BytesIO(shipped())) as before:
        assert again.files == before.files
        for name in again.files:
            np.testing.assert_array_equal(again[name], before[name])


def test_the_script_refuses_a_folder_without_the_files(tmp_path):
    done = subprocess.run([sys.executable, SCRIPT, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "train-labels-idx1-ubyte.gz: cannot be read" in done.stderr
    assert "Traceback" not in done.stderr

"""MNIST-like and CIFAR files, in their true formats, through torchvision's own classes."""

import functools
import gzip
import hashlib
import http.server
import pickle
import struct
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from needed import need

from scalestudy.errors import StudyError
from scalestudy.train.data import idx_files, torchvision_sets

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def md5(data):
    return hashlib.md5(data).hexdigest()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """Addresses of this machine are asked directly, also where a proxy is set."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def small_mnist(monkeypatch):
    """Contents of four small IDX files; only the table of sizes and checksums is changed to accept them."""
    draw = np.random.default_rng(1)
    contents = {}
    for prefix, count in (("train", 7), ("t10k", 3)):
        images = draw.integers(256, size=(count, 28, 28), dtype=np.uint8)
        labels = draw.integers(10, size=count, dtype=np.uint8)
        contents[f"{prefix}-images-idx3-ubyte"] = struct.pack(">IIII", 0x803, count, 28, 28) + images.tobytes()
        contents[f"{prefix}-labels-idx1-ubyte"] = struct.pack(">II", 0x801, count) + labels.tobytes()
    facts = idx_files.IDX_SETS["mnist"]
    table = tuple(idx_files.IdxFile(name, len(data), md5(data)) for name, data in contents.items())
    monkeypatch.setitem(idx_files.IDX_SETS, "mnist", replace(facts, files=table))
    return contents


def put(contents, folder, zipped):
    folder.mkdir(parents=True)
    for name, data in contents.items():
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(data))
        else:
            (folder / name).write_bytes(data)


def images_of(idx):
    return np.frombuffer(idx, np.uint8, offset=16).reshape(-1, 1, 28, 28)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("place", ["MNIST/raw", "mnist"])
def test_mnist_is_read_from_every_place_gzipped_or_not(tmp_path, small_mnist, place, zipped):
    put(small_mnist, tmp_path / place, zipped)
    arrays = torchvision_sets.mnist(tmp_path, download=False)
    np.testing.assert_array_equal(arrays.train_images, images_of(small_mnist["train-images-idx3-ubyte"]))
    np.testing.assert_array_equal(arrays.test_images, images_of(small_mnist["t10k-images-idx3-ubyte"]))
    assert bytes(arrays.test_labels.astype(np.uint8)) == small_mnist["t10k-labels-idx1-ubyte"][8:]
    assert arrays.classes[3] == "3 - three"


def test_files_that_are_not_the_originals_are_refused(tmp_path, small_mnist, monkeypatch):
    put(small_mnist, tmp_path / "mnist", zipped=True)
    changed = bytearray(small_mnist["t10k-images-idx3-ubyte"])
    changed[100] ^= 1
    (tmp_path / "mnist/t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(bytes(changed)))
    with pytest.raises(StudyError, match=r"t10k-images-idx3-ubyte\.gz: is not the original: its content has MD5"):
        torchvision_sets.mnist(tmp_path, download=False)


def test_made_files_do_not_pass_for_the_real_data_set(tmp_path, small_mnist, monkeypatch):
    put(small_mnist, tmp_path / "fashion-mnist", zipped=False)  # the table of Fashion-MNIST is the true one
    with pytest.raises(
        StudyError, match="train-images-idx3-ubyte: holds 5504 bytes unpacked, and should hold 47040016"
    ):
        torchvision_sets.fashion_mnist(tmp_path, download=False)


def test_a_truncated_gzip_is_named(tmp_path, small_mnist):
    put(small_mnist, tmp_path / "mnist", zipped=True)
    path = tmp_path / "mnist/train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(StudyError, match=r"train-images-idx3-ubyte\.gz: is cut short or damaged \(1000 bytes"):
        torchvision_sets.mnist(tmp_path, download=False)


def test_a_truncated_plain_file_is_named(tmp_path, small_mnist):
    put(small_mnist, tmp_path / "mnist", zipped=False)
    path = tmp_path / "mnist/train-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(StudyError, match="train-labels-idx1-ubyte: holds 13 bytes unpacked, and should hold 15"):
        torchvision_sets.mnist(tmp_path, download=False)


def test_without_folder_and_download_one_line_says_what_to_put_where(tmp_path):
    for load, names in (
        (torchvision_sets.mnist, ("t10k-labels-idx1-ubyte", str(tmp_path / "MNIST/raw"), str(tmp_path / "mnist"))),
        (torchvision_sets.cifar10, ("cifar-10-python.tar.gz", "cifar-10-batches-py", str(tmp_path))),
        (torchvision_sets.cifar100, ("cifar-100-python.tar.gz", "cifar-100-python", str(tmp_path))),
    ):
        with pytest.raises(StudyError, match="does not hold") as refusal:
            load(tmp_path, download=False)
        assert all(name in str(refusal.value) for name in (*names, "data.download: true"))
        assert "\n" not in str(refusal.value)


def test_the_real_fashion_mnist_is_read_from_debians_files(tmp_path):
    need((DEBIAN / "train-images-idx3-ubyte.gz").is_file(), "Debian's package dataset-fashion-mnist is not installed")
    (tmp_path / "fashion-mnist").symlink_to(DEBIAN)
    arrays = torchvision_sets.fashion_mnist(tmp_path, download=False)
    assert arrays.train_images.shape == (60_000, 1, 28, 28)
    assert np.bincount(arrays.train_labels).tolist() == [6000] * 10
    assert np.bincount(arrays.test_labels).tolist() == [1000] * 10
    assert arrays.classes[9] == "Ankle boot"


@pytest.fixture
def server(tmp_path):
    """A real web server on this machine; gives the folder it serves and its address."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{running.server_address[1]}/"
        running.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def allow(monkeypatch, contents, address):
    """Let torchvision's MNIST download these files from this address."""
    from torchvision.datasets import MNIST

    resources = []
    for name, data in contents.items():
        resources.append((f"{name}.gz", md5(gzip.compress(data, mtime=0))))
    monkeypatch.setattr(MNIST, "resources", resources)
    monkeypatch.setattr(MNIST, "mirrors", [address])


def test_mnist_is_downloaded_once(tmp_path, small_mnist, server, monkeypatch):
    served, address = server
    for name, data in small_mnist.items():
        (served / f"{name}.gz").write_bytes(gzip.compress(data, mtime=0))
    allow(monkeypatch, small_mnist, address)
    first = torchvision_sets.mnist(tmp_path / "data", download=True)
    for path in served.iterdir():
        path.unlink()
    again = torchvision_sets.mnist(tmp_path / "data", download=True)
    np.testing.assert_array_equal(first.train_images, again.train_images)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["MNIST"]


def test_a_damaged_download_leaves_nothing_behind(tmp_path, small_mnist, server, monkeypatch):
    served, address = server
    for name in small_mnist:
        (served / f"{name}.gz").write_bytes(b"<html>please log in</html>")
    allow(monkeypatch, small_mnist, address)
    with pytest.raises(StudyError, match="MNIST cannot be downloaded") as refusal:
        torchvision_sets.mnist(tmp_path / "data", download=True)
    assert "\n" not in str(refusal.value)
    assert list((tmp_path / "data").iterdir()) == []


def test_an_unreachable_network_is_reported_in_one_line(tmp_path, monkeypatch):
    from torchvision.datasets import CIFAR10, MNIST

    nobody_listens = "http://127.0.0.1:9/"
    monkeypatch.setattr(MNIST, "mirrors", [nobody_listens])
    monkeypatch.setattr(CIFAR10, "url", f"{nobody_listens}cifar-10-python.tar.gz")
    for load in (torchvision_sets.mnist, torchvision_sets.cifar10):
        with pytest.raises(StudyError, match=r"cannot be downloaded .*refused.*check the network, or put") as refusal:
            load(tmp_path / "data", download=True)
        assert "\n" not in str(refusal.value)
        assert list((tmp_path / "data").iterdir()) == []


def cifar_files(folder, kind, label_key, classes):
    """Pickles as the CIFAR authors made them, a few images each; returns their checksums by name."""
    draw = np.random.default_rng(2)
    sums = {}
    folder.mkdir(parents=True)
    for name, _ in (*kind.train_list, *kind.test_list):
        data = draw.integers(256, size=(5, 3072), dtype=np.uint8)
        labels = draw.integers(classes, size=5).tolist()
        sums[name] = dump(folder / name, {"data": data, label_key: labels})
    meta = {kind.meta["key"]: [f"name {number}" for number in range(classes)]}
    sums[kind.meta["filename"]] = dump(folder / kind.meta["filename"], meta)
    return sums


def dump(path, content):
    path.write_bytes(pickle.dumps(content))
    return md5(path.read_bytes())


def accept(monkeypatch, kind, sums):
    """Change only torchvision's table of checksums."""
    for table in ("train_list", "test_list"):
        monkeypatch.setattr(kind, table, [[name, sums[name]] for name, _ in getattr(kind, table)])
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": sums[kind.meta["filename"]]})


CIFARS = [("cifar10", "CIFAR10", "labels", 10, 25), ("cifar100", "CIFAR100", "fine_labels", 100, 5)]


@pytest.mark.parametrize(("load", "kind_name", "label_key", "classes", "train"), CIFARS)
def test_cifar_is_read_channels_first(tmp_path, monkeypatch, load, kind_name, label_key, classes, train):
    from torchvision import datasets

    kind = getattr(datasets, kind_name)
    sums = cifar_files(tmp_path / kind.base_folder, kind, label_key, classes)
    accept(monkeypatch, kind, sums)
    arrays = getattr(torchvision_sets, load)(tmp_path, download=False)
    raw = pickle.loads((tmp_path / kind.base_folder / kind.test_list[0][0]).read_bytes())
    np.testing.assert_array_equal(arrays.test_images, raw["data"].reshape(5, 3, 32, 32))
    assert arrays.test_labels.tolist() == raw[label_key]
    assert arrays.train_images.shape == (train, 3, 32, 32)
    assert len(arrays.classes) == classes


def test_cifar_is_read_from_its_archive(tmp_path, monkeypatch):
    from torchvision.datasets import CIFAR10

    sums = cifar_files(tmp_path / "made" / CIFAR10.base_folder, CIFAR10, "labels", 10)
    accept(monkeypatch, CIFAR10, sums)
    folder = tmp_path / "data"
    folder.mkdir()
    archive = folder / CIFAR10.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "made" / CIFAR10.base_folder, CIFAR10.base_folder)
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(archive.read_bytes()))
    assert torchvision_sets.cifar10(folder, download=False).train_images.shape == (25, 3, 32, 32)
    assert [path.name for path in folder.iterdir()] == [archive.name]

    archive.write_bytes(archive.read_bytes()[:-10])
    with pytest.raises(StudyError, match=r"cifar-10-python\.tar\.gz: is cut short or not the original: its \d+ bytes"):
        torchvision_sets.cifar10(folder, download=False)


def test_cifar_files_that_are_not_the_originals_are_refused_before_they_are_unpickled(tmp_path):
    from torchvision.datasets import CIFAR10

    cifar_files(tmp_path / CIFAR10.base_folder, CIFAR10, "labels", 10)
    (tmp_path / CIFAR10.base_folder / "data_batch_1").write_bytes(b"cos\nabort\n(tR.")  # os.abort() when unpickled
    with pytest.raises(StudyError, match="data_batch_1: is cut short or not the original"):
        torchvision_sets.cifar10(tmp_path, download=False)


def test_a_missing_cifar_file_is_named(tmp_path, monkeypatch):
    from torchvision.datasets import CIFAR10

    sums = cifar_files(tmp_path / CIFAR10.base_folder, CIFAR10, "labels", 10)
    accept(monkeypatch, CIFAR10, sums)
    (tmp_path / CIFAR10.base_folder / "data_batch_4").unlink()
    with pytest.raises(StudyError, match="data_batch_4: is missing"):
        torchvision_sets.cifar10(tmp_path, download=False)

"""Staging: whole or absent, once, by any number of processes."""

import json
import subprocess
import sys

import numpy as np
import pytest

from scalestudy.errors import StudyError
from scalestudy.spec.data_key import prepared_key
from scalestudy.spec.workload import DataSpec
from scalestudy.train.data import synthetic
from scalestudy.train.data.stage import prepare
from scalestudy.train.data.tensors import load_meta, load_split

SMALL = DataSpec(name="synthetic", options={"shape": [2, 8, 8], "train": 60, "test": 20})


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_key_is_readable_and_depends_on_the_options_alone():
    assert prepared_key(DataSpec(name="mnist")) == "mnist"
    assert prepared_key(DataSpec(name="mnist", train=10, test=5, augment="crop_flip")) == "mnist"
    keys = {prepared_key(DataSpec(name="synthetic", options={"train": count})) for count in (1, 2)}
    assert len(keys) == 2
    assert all(key.startswith("synthetic-") and len(key) == len("synthetic-") + 8 for key in keys)
    one, other = {"train": 1, "test": 2}, {"test": 2, "train": 1}
    assert prepared_key(DataSpec(name="synthetic", options=one)) == prepared_key(
        DataSpec(name="synthetic", options=other)
    )


@pytest.mark.parametrize("name", ["..", "../../etc:passwd", "my_data.sub:load", "/:x", "a b:c"])
def test_the_key_of_any_name_is_one_plain_folder_name(name):
    key = prepared_key(DataSpec(name=name))
    assert "/" not in key
    assert "." not in key
    assert " " not in key


def test_the_key_needs_no_heavy_import():
    code = "import sys, scalestudy.spec.data_key; print([m for m in ('torch', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_prepared_arrays_are_those_of_the_loader(tmp_path):
    folder = prepare(SMALL, tmp_path, download=False)
    assert folder == tmp_path / "prepared" / prepared_key(SMALL)
    arrays, meta = synthetic.load(tmp_path, False, **SMALL.options), load_meta(folder)
    train = load_split(folder, "train")
    np.testing.assert_array_equal(train.images.numpy(), arrays.train_images)
    np.testing.assert_array_equal(train.labels.numpy(), arrays.train_labels)
    assert (meta.shape, meta.train, meta.test, meta.synthetic) == ((2, 8, 8), 60, 20, True)
    scaled = arrays.train_images / 255
    np.testing.assert_allclose(meta.mean, scaled.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(meta.std, scaled.std(axis=(0, 2, 3)), rtol=1e-12)


def test_a_second_call_changes_nothing(tmp_path):
    folder = prepare(SMALL, tmp_path, download=False)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    prepare(SMALL, tmp_path, download=False)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def truncate(folder):
    path = folder / "train_images.npy"
    path.write_bytes(path.read_bytes()[:-1])


def flip_a_bit(folder):
    path = folder / "test_labels.npy"
    data = bytearray(path.read_bytes())
    data[-8] ^= 1
    path.write_bytes(bytes(data))


def age(folder):
    path = folder / "meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 0}))


def rename(folder):
    path = folder / "meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "key": "another"}))


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, age, rename, lambda folder: (folder / "meta.json").unlink()])
def test_a_damaged_folder_is_replaced(tmp_path, damage):
    folder = prepare(SMALL, tmp_path, download=False)
    before = contents(folder)
    damage(folder)
    assert contents(folder) != before
    prepare(SMALL, tmp_path, download=False)
    assert contents(folder) == before
    assert list((tmp_path / "prepared").iterdir()) == [folder]


@pytest.mark.parametrize("stale", [False, True])
def test_two_processes_may_prepare_at_once(tmp_path, stale):
    if stale:
        truncate(prepare(SMALL, tmp_path, download=False))
    code = (
        "import sys, pathlib\n"
        "from scalestudy.spec.workload import DataSpec\n"
        "from scalestudy.train.data.stage import prepare\n"
        "sys.stdin.readline()\n"
        "prepare(DataSpec.model_validate_json(sys.argv[1]), pathlib.Path(sys.argv[2]), False)\n"
    )
    command = [sys.executable, "-c", code, SMALL.model_dump_json(), str(tmp_path)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, text=True) for _ in range(4)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0] * 4
    folder = prepare(SMALL, tmp_path, download=False)
    assert list((tmp_path / "prepared").iterdir()) == [folder]
    assert len(load_split(folder, "train")) == 60


def test_nothing_is_left_when_the_loader_fails(tmp_path):
    spec = DataSpec(name="synthetic", options={"classes": 0})
    with pytest.raises(StudyError, match=r"data\.options\.classes"):
        prepare(spec, tmp_path, download=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("minst", {}, r"data\.name: there is no data set 'minst': did you mean 'mnist'\?"),
        ("qqq", {}, "must be one of fashion_mnist_subset, mnist"),
        ("synthetic", {"sise": 3}, "data.options: .*unexpected keyword argument 'sise'"),
        ("no_such_module:load", {}, "data.name: no_such_module:load: there is no module no_such_module"),
        ("builtins:slice", {}, "data.name: builtins:slice returned slice, and should return Arrays"),
    ],
)
def test_a_loader_that_cannot_be_used_is_named(tmp_path, name, options, message):
    with pytest.raises(StudyError, match=message):
        prepare(DataSpec(name=name, options=options), tmp_path, download=False)


def test_a_storage_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StudyError, match="cannot be written: Not a directory"):
        prepare(SMALL, tmp_path / "file", download=False)


def test_a_truncated_array_is_named_when_it_is_loaded(tmp_path):
    folder = prepare(SMALL, tmp_path, download=False)
    size = (folder / "train_images.npy").stat().st_size
    truncate(folder)
    with pytest.raises(StudyError, match=rf"train_images\.npy: has {size - 1} bytes, and should have {size}"):
        load_split(folder, "train")


def test_a_missing_array_or_folder_is_named(tmp_path):
    folder = prepare(SMALL, tmp_path, download=False)
    (folder / "test_labels.npy").unlink()
    with pytest.raises(StudyError, match=r"test_labels\.npy: cannot be read"):
        load_split(folder, "test")
    with pytest.raises(
        StudyError, match=r"nowhere: the data set is not prepared; `scalestudy data nowhere` prepares it"
    ):
        load_split(tmp_path / "nowhere", "test")


def test_a_limit_keeps_the_first_images_and_cannot_exceed_the_data_set(tmp_path):
    folder = prepare(SMALL, tmp_path, download=False)
    whole, part = load_split(folder, "train"), load_split(folder, "train", 7)
    assert len(part) == 7
    assert part.images.equal(whole.images[:7])
    with pytest.raises(StudyError, match=r"data\.train: is 61, but Synthetic has only 60 train images"):
        load_split(folder, "train", 61)
    with pytest.raises(StudyError, match=r"data\.test: is 21"):
        load_split(folder, "test", 21)

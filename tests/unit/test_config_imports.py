"""Import paths are judged without importing, and machines are counted without torch."""

import os
import subprocess
import sys

import pytest

from scalestudy.errors import StudyError
from scalestudy.records.machine import count_visible, detect
from scalestudy.spec.config import ClusterSpec, MachineSpec
from scalestudy.spec.imports import import_problem
from scalestudy.spec.layouts import Machine

SOURCE = """
raise RuntimeError("this module must not be imported")
import os.path as paths
from json import loads
if True:
    class Inner: ...
try:
    fast, (slow, _) = 1, (2, 3)
except ImportError:
    def other(): ...
def build(): local = 1
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text("raise RuntimeError('nor the package')")
    (tmp_path / "mine" / "nets.py").write_text(SOURCE)
    (tmp_path / "mine" / "broken.py").write_text("def f(:\n")
    (tmp_path / "mine" / "cut.py").write_text("def f(): ...\n" + "\0" * 4096)  # as a full disk leaves a file
    (tmp_path / "mine" / "coded.py").write_text("# coding: nobody\ndef f(): ...\n")
    (tmp_path / "mine" / "lazy.py").write_text("from mine.nets import *\n")
    (tmp_path / "spread").mkdir()
    (tmp_path / "spread" / "net.py").write_text("class Net: ...")
    (tmp_path / "spread" / "wide" / "deep").mkdir(parents=True)
    (tmp_path / "spread" / "wide" / "net.py").write_text("class Net: ...")
    (tmp_path / "spread" / "wide" / "deep" / "net.py").write_text("class Net: ...")
    return tmp_path


@pytest.mark.parametrize(
    "path",
    ["mine.nets:" + name for name in ("paths", "loads", "Inner", "fast", "slow", "other", "build")]
    + ["mine.lazy:Anything", "spread.net:Net", "spread.wide.net:Net", "spread.wide.deep.net:Net"]
    + ["json:loads", "math:sqrt"],
)
def test_a_name_that_the_module_binds_is_right(path, folder):
    assert import_problem(path, folder) is None
    assert "mine" not in sys.modules


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("mine.nets:Inne", "has no Inne; did you mean 'Inner'?"),
        ("mine.nets:local", "has no local"),
        ("mine.net:Inner", "there is no module mine.net,"),
        ("mine.nets.deep:Inner", "there is no module mine.nets.deep,"),
        ("nobody:Inner", "there is no module nobody,"),
        ("mine.broken:f", "has a syntax error in line 1"),
        ("mine.cut:f", "cut.py is not Python text: source code string cannot contain null bytes"),
        ("mine.coded:f", "coded.py is not Python text: unknown encoding: nobody"),
        ("spread:Net", "; spread is a folder"),
        ("spread.wide:Net", "; spread.wide is a folder"),
        ("spread.wide.nope:Net", "there is no module spread.wide.nope,"),
        ("spread.nope.net:Net", "there is no module spread.nope,"),
        ("mine.nets", "must be an import path such as"),
        ("mine/nets.py:Inner", "must be an import path such as"),
        ("mine.nets:", "must be an import path such as"),
        (":Inner", "must be an import path such as"),
        ("a.b:c.d", "must be an import path such as"),
    ],
)
def test_a_path_that_leads_nowhere_says_why(path, words, folder):
    assert words in str(import_problem(path, folder))
    assert "mine" not in sys.modules


LISTING = (
    "GPU 0: NVIDIA H200 (UUID: GPU-aaa1)\nGPU 1: NVIDIA H200 (UUID: GPU-bbb2)\nGPU 2: NVIDIA H200 (UUID: GPU-ccc3)\n"
)


@pytest.mark.parametrize(
    ("visible", "count"),
    [(None, 3), ("", 0), ("0,2", 2), ("-1", 0), ("1,-1,2", 1), ("7", 0), ("GPU-bbb", 1), ("GPU-zzz", 0), (" 0 , 1", 2)],
)
def test_gpus_are_counted_as_cuda_would(visible, count):
    assert count_visible(LISTING, {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}) == count


def test_no_gpu_is_listed_without_a_driver():
    assert count_visible("", {}) == 0


def test_cpu_devices_are_the_cores_that_this_process_may_use():
    cores = len(os.sched_getaffinity(0))
    found = detect(MachineSpec(device="cpu"))
    assert (found.device, found.devices, found.cores) == ("cpu", cores, cores)
    assert detect(MachineSpec(device="cpu", cores_per_device=cores)).devices == 1


def test_more_cores_per_device_than_there_are_is_refused():
    with pytest.raises(StudyError, match="cores_per_device: found 1000000; must be at most"):
        detect(MachineSpec(device="cpu", cores_per_device=1_000_000))


def test_a_cluster_is_believed_as_it_is_described():
    found = Machine.of_cluster(ClusterSpec(device="cuda", nodes=3, devices_per_node=4, cores_per_device=8))
    assert found == Machine("cuda", devices=12, cores=32, cluster=True)


def test_cuda_without_a_gpu_is_refused(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(StudyError, match="found cuda, but no GPU is here; must be cpu or auto"):
        detect(MachineSpec(device="cuda"))


def test_planning_needs_no_torch():
    code = "import sys, scalestudy.spec.expand, scalestudy.records.machine; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"

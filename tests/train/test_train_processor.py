"""What a training process asks of the machine: cores, and memory that stays."""

import os
import platform
import subprocess
import sys

import pytest

from scalestudy.train import processor
from scalestudy.train.processor import cores_of_devices


@pytest.mark.parametrize(
    ("available", "own", "on_host", "each", "expected"),
    [
        ([0, 1, 2, 3], range(1, 2), range(4), 1, [[1]]),
        ([0, 1, 2, 3], range(1, 2), range(2), 2, [[2, 3]]),
        ([4, 6, 8, 10], range(2), range(2), 2, [[4, 6], [8, 10]]),
        ([5], range(1, 2), range(2), 1, [[5]]),
        ([8, 9], range(2, 4), range(4), 1, [[8], [9]]),
        ([0, 1], range(3), range(3), 1, [[], [], []]),
        ([0], range(2), range(2), 1, [[], []]),
    ],
    ids=["by place", "two each", "gaps", "given by the scheduler", "given two", "too few", "one core"],
)
def test_devices_get_cores_of_their_own_or_none(
    available: list[int],
    own: range,
    on_host: range,
    each: int,
    expected: list[list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processor, "available_cores", lambda: available)
    assert cores_of_devices(own, on_host, each) == expected


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_no_two_processes_of_a_host_share_a_core(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "available_cores", lambda: list(range(8)))
    dealt = [core for rank in range(count) for core in cores_of_devices(range(rank, rank + 1), range(count), 2)[0]]
    assert dealt == list(range(2 * count))


STEPS_ALONE = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from train_setup import Parts, make_run
from scalestudy.train.clock import StepClock
from scalestudy.train.optimizer import make_optimizer
from scalestudy.train.processor import keep_freed_memory
from scalestudy.train.ranks import Rank

assert keep_freed_memory() == (sys.argv[2] == "glibc")
run = make_run("serial", model="cifar_cnn", batch_size=64)
parts = Parts(run, Rank(0, 1, "", one_machine=True))
parts.train.start_epoch(1, 0)
optimizer = make_optimizer(run.workload.optimizer, parts.strategy.parameters(), fused=True)
clock = StepClock(1)
clock.start_epoch()
for step in range(40):
    if step == 20:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    clock.start_step()
    optimizer.zero_grad()
    parts.strategy.gradients(parts.train, 64 * (step % 5), 64 * (step % 5) + 64, clock)
    optimizer.step()
    clock.optimizer_done()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="page faults are counted as Linux counts them")
def test_steps_after_warm_up_take_hardly_any_page_fault(request: pytest.FixtureRequest) -> None:
    library = platform.libc_ver()[0]
    tests = request.config.rootpath / "tests"
    outcome = subprocess.run(
        [sys.executable, "-c", STEPS_ALONE, str(tests), library],
        env=os.environ | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    if library == "glibc":
        assert float(outcome.stdout) <= 50


IN_A_THREAD = """
import resource, sys, threading
import torch
from scalestudy.train.processor import keep_freed_memory

def rounds(count):
    for _ in range(count):
        held = [torch.empty(500_000).fill_(1.0) for _ in range(60)]
        del held

def measure():
    rounds(3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    rounds(10)
    faults.append((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 10)

if sys.argv[1] == "tuned":
    keep_freed_memory()
faults = []
thread = threading.Thread(target=measure)
thread.start()
thread.join()
print(faults[0])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives freed memory back at once")
def test_memory_that_a_device_thread_frees_stays_with_the_process() -> None:
    faults = {}
    for mode in ("plain", "tuned"):
        command = [sys.executable, "-c", IN_A_THREAD, mode]
        faults[mode] = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert faults["plain"] > 500 > 50 > faults["tuned"]

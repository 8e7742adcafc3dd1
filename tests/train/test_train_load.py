"""How much of the machine other programs took."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scalestudy.train import load
from scalestudy.train.control import Control
from scalestudy.train.load import CpuTimes, foreign_load

pytestmark = pytest.mark.skipif(not load.STAT.exists(), reason="needs /proc/stat")


def measure(seconds: float, busy: bool) -> float:
    """Foreign load while this process sleeps or burns a core."""
    before, end = CpuTimes.now(), time.monotonic() + seconds
    while time.monotonic() < end:
        if not busy:
            time.sleep(0.01)
    found = foreign_load(before, CpuTimes.now(), 0, Control(1))
    assert found is not None
    return found


def test_a_busy_foreign_process_shows_as_its_share_of_the_machine() -> None:
    burner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.2)
        found = measure(1.0, busy=False)
    finally:
        burner.kill()
        burner.wait()
    share = 1 / (os.cpu_count() or 1)
    assert 0.3 * share <= found <= 1.0


def test_own_work_is_not_foreign() -> None:
    share = 1 / (os.cpu_count() or 1)
    before = CpuTimes.now()
    found = measure(1.0, busy=True)
    after = CpuTimes.now()
    all_busy = (after.busy - before.busy) / (after.total - before.total)
    assert found <= max(all_busy - 0.2 * share, 0.02)


def test_shares_are_exact_and_never_negative() -> None:
    control = Control(1)
    assert foreign_load(CpuTimes(10, 100, 5), CpuTimes(13, 110, 7), 0, control) == pytest.approx(0.1)
    assert foreign_load(CpuTimes(10, 100, 5), CpuTimes(13, 110, 9), 0, control) == 0.0


def test_what_cannot_be_read_is_not_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(load, "STAT", tmp_path / "missing")
    assert foreign_load(CpuTimes.now(), CpuTimes.now(), 0, Control(1)) is None

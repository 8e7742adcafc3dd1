"""The ranks of a run on this machine: watched, ended together, and blamed rightly."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from train_setup import Parts, make_run, on_ranks

from scalestudy.errors import MayPass, StudyError
from scalestudy.train import processes
from scalestudy.train.processes import RankFailed, run_ranks
from scalestudy.train.ranks import Rank
from scalestudy.train.stopping import EXIT_STOPPED


def test_every_rank_works_once_and_knows_its_place() -> None:
    assert on_ranks(lambda rank: (rank.rank, rank.ranks, rank.one_machine), 3) == [
        (0, 3, True),
        (1, 3, True),
        (2, 3, True),
    ]


def test_a_place_that_a_launcher_gave_to_the_one_process_is_none_of_its_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert on_ranks(lambda _: "LOCAL_RANK" in os.environ, 2) == [False, False]


def test_a_rank_that_raises_is_named_with_its_reason(capfd: pytest.CaptureFixture[str]) -> None:
    def work(rank: Rank) -> int:
        if rank.rank == 1:
            raise ValueError("no such thing\nmore words")
        return 0

    with pytest.raises(RankFailed) as caught:
        run_ranks(work, 2)
    assert str(caught.value) == "rank 1 of 2: ValueError: no such thing"
    assert "Traceback" in capfd.readouterr().err


def test_what_the_user_can_mend_comes_without_a_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    def work(rank: Rank) -> int:
        raise StudyError("config.yaml: seed: found -1; must be at least 0")

    with pytest.raises(RankFailed) as caught:
        run_ranks(work, 1)
    assert str(caught.value) == "config.yaml: seed: found -1; must be at least 0"
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), MayPass),
        (MayPass("the ranks did not meet"), MayPass),
        (PermissionError(errno.EACCES, "Permission denied"), RankFailed),
    ],
)
def test_a_fault_of_the_place_is_no_result_of_the_work(error: Exception, kind: type[StudyError]) -> None:
    def work(rank: Rank) -> int:
        if rank.rank == 1:
            raise error
        return 0

    with pytest.raises(StudyError, match=r"^rank 1 of 2: ") as caught:
        run_ranks(work, 2)
    assert type(caught.value) is kind


@pytest.mark.parametrize("killed", [0, 1, 2])
def test_the_rank_that_was_killed_is_blamed_and_not_those_that_lost_it(killed: int) -> None:
    run = make_run("ddp", (1, 3), options={"communication": "gloo"})

    def work(rank: Rank) -> int:
        parts = Parts(run, rank)
        if rank.rank == killed:
            os.kill(os.getpid(), signal.SIGKILL)
        parts.control.barrier()
        return 0

    begin = time.monotonic()
    with pytest.raises(RankFailed, match=rf"^rank {killed} of 3: was killed by SIGKILL \(out of memory\?\)$"):
        run_ranks(work, 3)
    assert time.monotonic() - begin < processes.GRACE_S


@pytest.mark.parametrize("raising", [0, 1])
def test_the_rank_that_raised_first_is_blamed(raising: int) -> None:
    run = make_run("ddp", options={"communication": "gloo"})

    def work(rank: Rank) -> int:
        parts = Parts(run, rank)
        if rank.rank == raising:
            raise ArithmeticError("the cause")
        parts.control.barrier()
        return 0

    with pytest.raises(RankFailed, match=f"^rank {raising} of 2: ArithmeticError: the cause$"):
        run_ranks(work, 2)


def test_ranks_that_hang_are_ended_after_the_grace_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GRACE_S", 0.5)

    def work(rank: Rank) -> int:
        if rank.rank == 2:
            raise ValueError("alone")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
        return 0

    begin = time.monotonic()
    with pytest.raises(RankFailed, match=r"^rank 2 of 3: ValueError: alone$"):
        run_ranks(work, 3)
    assert 0.5 <= time.monotonic() - begin < 10


def test_stopped_ranks_give_the_exit_code_of_a_stop_also_when_one_was_still_starting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "GRACE_S", 0.5)

    def work(rank: Rank) -> int:
        if rank.rank == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        raise RuntimeError("Connection closed by peer")

    def slow(rank: Rank) -> int:
        if rank.rank == 1:
            time.sleep(0.2)
        return work(rank)

    assert run_ranks(slow, 2) == EXIT_STOPPED


def test_a_state_that_cannot_be_saved_is_a_failure_also_when_others_stopped() -> None:
    def work(rank: Rank) -> int:
        if rank.rank == 0:
            time.sleep(0.2)
            raise StudyError("latest: cannot be written: No space left on device")
        return EXIT_STOPPED

    with pytest.raises(RankFailed, match=r"^rank 0 of 2: latest: cannot be written"):
        run_ranks(work, 2)


def test_signal_handlers_are_as_before_afterwards() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    run_ranks(lambda _: 0, 1)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


PARENT = """
import sys, time
from pathlib import Path
from scalestudy.train.processes import run_ranks

def work(rank):
    (Path(sys.argv[1]) / str(rank.rank)).write_text(str(__import__("os").getpid()))
    time.sleep(60)
    return 0

run_ranks(work, 2)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_no_rank_outlives_its_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)])
    notes = [tmp_path / "0", tmp_path / "1"]
    deadline = time.monotonic() + 60
    while not all(note.exists() and note.read_text() for note in notes):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    ranks = [int(note.read_text()) for note in notes]
    assert all(map(alive, ranks))
    parent.kill()
    parent.wait()
    while any(map(alive, ranks)):
        assert time.monotonic() < deadline
        time.sleep(0.01)

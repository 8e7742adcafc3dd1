"""`scalestudy train` as a launcher starts it: the same line for every rank, told who it is by its environment."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from open_files import opens
from train_setup import learned, make_run, trained

from scalestudy.cli.training import train_run
from scalestudy.errors import MayPass
from scalestudy.records.events import read_events
from scalestudy.records.files import read_model, write_model
from scalestudy.records.paths import RunPaths
from scalestudy.records.result import Result
from scalestudy.spec.run import Run
from scalestudy.train.control import join_process_group
from scalestudy.train.lock import only_one
from scalestudy.train.stopping import EXIT_STOPPED

SLURM = {
    "SLURM_JOB_ID": "4713",
    "SLURM_ARRAY_JOB_ID": "4711",
    "SLURM_ARRAY_TASK_ID": "2",
    "SLURM_JOB_NODELIST": "n[1-2]",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(run: Run, folder: Path, ranks: int, before: Sequence[str] = (), **more: str) -> list[subprocess.Popen[str]]:
    """As many processes as a launcher was asked for, each with the variables that the executor sets."""
    write_model(RunPaths(folder).run, run)
    shared = {"WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    command = [*before, sys.executable, "-m", "scalestudy", "train", str(RunPaths(folder).run), "--record-failure"]
    return [
        subprocess.Popen(
            command,
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_WORLD_SIZE": "1", "OMP_NUM_THREADS": "1"} | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(ranks)
    ]


def ended(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """Exit code and last line of errors of each."""
    outputs = [process.communicate(timeout=120)[1] for process in processes]
    lines = [text.strip().splitlines()[-1:] or [""] for text in outputs]
    return [(process.returncode, line[0]) for process, line in zip(processes, lines, strict=True)]


def test_two_launched_ranks_learn_what_two_started_here_learn_and_record_the_slurm_job(tmp_path: Path) -> None:
    run = make_run("ddp", (2, 1), epochs=1)
    assert ended(launch(run, tmp_path / "launched", 2, **SLURM)) == [(0, ""), (0, "")]
    result = read_model(RunPaths(tmp_path / "launched").result, Result)
    assert learned(result) == learned(trained(run, tmp_path / "here"))
    assert result.provenance is not None
    assert result.provenance.slurm == SLURM
    assert result.parts[0].slurm == SLURM


def test_a_launcher_that_starts_one_process_leaves_the_ranks_of_a_node_to_it(tmp_path: Path) -> None:
    run = make_run("ddp", epochs=1)
    assert ended(launch(run, tmp_path, 1)) == [(0, "")]
    result = read_model(RunPaths(tmp_path).result, Result)
    assert result.outcome == "completed"
    assert len(list(RunPaths(tmp_path).ranks.iterdir())) == 2


def test_a_run_of_one_process_is_rank_0_of_1(tmp_path: Path) -> None:
    assert ended(launch(make_run(epochs=1), tmp_path, 1)) == [(0, "")]
    assert read_model(RunPaths(tmp_path).result, Result).outcome == "completed"


def test_one_process_cannot_stand_for_two_nodes(tmp_path: Path) -> None:
    ended(launch(make_run("ddp", (2, 1), epochs=1), tmp_path, 1))
    result = read_model(RunPaths(tmp_path).result, Result)
    assert result.outcome == "failed"
    assert result.provenance is not None
    assert (result.provenance.torch, result.provenance.engine) == (torch.__version__, "")
    assert "started with 1 rank; it needs 2 (2 nodes, 1 per node)" in (result.error or "")


def test_a_failure_of_one_rank_is_recorded_with_its_reason_not_with_what_followed_from_it(tmp_path: Path) -> None:
    """Rank 1 meets a model that fails there alone; rank 0 only loses sight of it."""
    (tmp_path / "fragile.py").write_text(
        "import os\n"
        "from scalestudy.train.models.mnist_cnn import MnistCNN\n"
        "class Fragile(MnistCNN):\n"
        "    def forward(self, x):\n"
        "        if self.training and os.environ.get('RANK') == '1':\n"
        "            raise RuntimeError('the weather')\n"
        "        return super().forward(x)\n"
    )
    run = make_run("ddp", (2, 1), epochs=1, model="fragile:Fragile")
    codes = [code for code, _ in ended(launch(run, tmp_path / "run", 2, PYTHONPATH=str(tmp_path)))]
    assert codes == [0, 0]
    assert read_model(RunPaths(tmp_path / "run").result, Result).error == "rank 1 of 2: RuntimeError: the weather"


def test_a_rank_that_was_killed_is_not_recorded_as_a_failure_since_trying_again_may_help(tmp_path: Path) -> None:
    run = make_run("ddp", (2, 1), epochs=500)
    processes = launch(run, tmp_path, 2)
    events = RunPaths(tmp_path).events(1)
    end = time.monotonic() + 60
    while not (events.exists() and any(event["event"] == "checkpoint" for event in read_events(events)[0])):
        assert time.monotonic() < end
        time.sleep(0.1)
    processes[1].send_signal(signal.SIGKILL)
    (code, said), (killed, _) = ended(processes)
    assert killed == -signal.SIGKILL
    assert code == 2
    assert said.endswith("of 2 ranks these ended without a word: 1")
    assert not RunPaths(tmp_path).result.exists()


def test_a_full_disk_is_not_recorded_as_a_failure_of_a_run_that_a_launcher_started(tmp_path: Path) -> None:
    """The limit on the size of files stands for the disk: event lines fit, and the first checkpoint does not."""
    run, small = make_run(epochs=2), ["prlimit", "--fsize=10000"]
    for before, code in ((small, 2), ([], 0)):
        (launched,) = ended(launch(run, tmp_path, 1, before=before))
        assert launched[0] == code
        assert RunPaths(tmp_path).result.exists() == (code == 0)
        assert before == [] or launched[1].endswith("cannot be written: File too large")


@pytest.mark.parametrize(("layout", "processes"), [((2, 1), 2), ((1, 2), 1)])
def test_a_full_disk_of_another_rank_is_not_recorded_either(
    layout: tuple[int, int], processes: int, tmp_path: Path
) -> None:
    """Neither of one that the launcher started, nor of one that was forked from its process."""
    (tmp_path / "full.py").write_text(
        "import errno, os\n"
        "import torch.distributed as dist\n"
        "from scalestudy.train.models.mnist_cnn import MnistCNN\n"
        "class Full(MnistCNN):\n"
        "    def forward(self, x):\n"
        "        if self.training and dist.get_rank() == 1:\n"
        "            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))\n"
        "        return super().forward(x)\n"
    )
    run = make_run("ddp", layout, epochs=1, model="full:Full")
    (code, said), *_ = ended(launch(run, tmp_path / "run", processes, PYTHONPATH=str(tmp_path)))
    assert code == 2
    assert said.endswith("rank 1 of 2: OSError: [Errno 28] No space left on device")
    assert not RunPaths(tmp_path / "run").result.exists()


def until_it_waits(process: subprocess.Popen[str], folder: Path) -> None:
    until = time.monotonic() + 60
    while not opens(process.pid, folder / "lock"):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_launched_rank_waits_for_the_one_that_still_trains_its_run_and_that_is_no_part_of_its_times(
    tmp_path: Path,
) -> None:
    """After a node was lost to SLURM, but not to the rank on it."""
    begin, waited_s = time.time(), 3.0
    with only_one(tmp_path):
        (process,) = launch(make_run(epochs=1), tmp_path, 1)
        until_it_waits(process, tmp_path)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(waited_s)
        assert not RunPaths(tmp_path).events(0).exists()
    assert ended([process]) == [(0, f"{tmp_path}: another process trains this run; waiting 240 s for it")]
    result, events = read_model(RunPaths(tmp_path).result, Result), read_events(RunPaths(tmp_path).events(0))[0]
    assert result.startup is not None
    assert 0 < result.startup.launch_s <= events[0]["time"] - begin - waited_s
    assert result.startup.launch_s < result.total_s <= events[-1]["time"] - begin - waited_s


@pytest.mark.parametrize(("strategy", "ranks"), [("serial", 1), ("ddp", 1), ("ddp", 2)])
def test_a_run_that_was_finished_while_a_launched_rank_waited_is_not_trained_again(
    strategy: str, ranks: int, tmp_path: Path
) -> None:
    """By one process, by two that it would start, and by two that the launcher started."""
    run = make_run(strategy, epochs=1)
    trained(run, tmp_path / "other")
    with only_one(tmp_path / "run"):
        processes = launch(run, tmp_path / "run", ranks)
        until_it_waits(processes[0], tmp_path / "run")
        shutil.copytree(tmp_path / "other/ranks", tmp_path / "run/ranks", dirs_exist_ok=True)
        shutil.copy(tmp_path / "other/result.json", tmp_path / "run")
    (code, said), *others = ended(processes)
    assert (code, said) == (0, f"{tmp_path}/run: it finished the run")
    assert others == [(0, "")] * (ranks - 1)
    for name in ("result.json", "ranks/rank0.jsonl", *("ranks/rank1.jsonl",) * (strategy == "ddp")):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_a_launched_rank_that_waited_in_vain_asks_to_be_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("scalestudy.train.launch.WAIT_S", 0.2)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    with only_one(tmp_path):
        code = train_run(make_run(epochs=1), RunPaths(tmp_path), time.time(), record_failure=True)
    assert code == EXIT_STOPPED
    assert "another process trains this run" in capsys.readouterr().err
    assert not RunPaths(tmp_path).result.exists()


def test_a_backend_that_fails_is_not_said_to_have_met_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise dist.DistBackendError("NCCL error: duplicate GPU")

    monkeypatch.setattr(dist, "init_process_group", fail)
    with pytest.raises(dist.DistBackendError, match="duplicate GPU"):
        join_process_group(0, 2, torch.device("cpu"), "tcp://127.0.0.1:1")


def test_ranks_that_do_not_meet_may_meet_the_next_time() -> None:
    with pytest.raises(MayPass, match=r"^the ranks did not meet at tcp://127\.0\.0\.1:") as caught:
        join_process_group(1, 2, torch.device("cpu"), f"tcp://127.0.0.1:{free_port()}", timedelta(seconds=2))
    assert "\n" not in str(caught.value)

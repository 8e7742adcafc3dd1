"""A run that is killed, stopped or starved of disk, and started again: with the real command, in real processes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import slow_models
from needed import need
from train_setup import learned, make_run, trained

from scalestudy.records.events import read_events
from scalestudy.records.files import read_model, write_model
from scalestudy.records.paths import RunPaths
from scalestudy.records.result import Result
from scalestudy.spec.run import Run
from scalestudy.train.stopping import EXIT_STOPPED

IMAGES, EPOCHS = 480, 4
WAIT_S = 60.0


def long_run(strategy: str, images: int = IMAGES, model: str = "cifar_cnn") -> Run:
    """Some seconds of training, with many steps between two checkpoints."""
    return make_run(strategy, images=images, epochs=EPOCHS, batch_size=8, model=model)


def command(folder: Path, run: Run, **variables: str) -> subprocess.Popen[str]:
    """``scalestudy train`` in a process group of its own."""
    write_model(RunPaths(folder).run, run)
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | variables
    return subprocess.Popen(
        [sys.executable, "-m", "scalestudy", "train", "--again", str(RunPaths(folder).run)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {WAIT_S:g} s for {what}"
        time.sleep(0.005)


def begun(folder: Path, name: str, times: int = 1) -> bool:
    """Whether rank 0 has written an event so many times."""
    path = RunPaths(folder).events(0)
    return path.exists() and sum(event["event"] == name for event in read_events(path)[0]) >= times


def processes_of_session(session: int) -> list[int]:
    """Living processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, _, its_session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            except OSError:
                continue
            if int(its_session) == session and state not in "ZX":
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize(
    ("strategy", "kills"),
    [("serial", 2), ("data_parallel", 1), ("ddp", 1), ("hybrid", 1), ("hsdp", 1)],
)
def test_a_run_killed_at_random_moments_ends_with_the_same_bits(
    strategy: str, kills: int, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    run = long_run(strategy)
    whole = trained(run, tmp_path / "whole")
    train_s = sum(epoch.time_s + epoch.evaluation_s for epoch in whole.epochs)
    kept = f"scalestudy/moments-{strategy}"  # until the test passes: after a failure, the same moments
    seed = pytestconfig.cache.get(kept, None) or random.SystemRandom().randrange(1, 1 << 32)
    pytestconfig.cache.set(kept, seed)
    print(f"moments drawn with seed {seed}")  # pytest shows it when the test fails
    draw = random.Random(seed)
    folder = tmp_path / "killed"
    for _ in range(kills):
        events = RunPaths(folder).events(0)
        known = len(read_events(events)[0]) if events.exists() else 0
        process = command(folder, run)
        until(lambda known=known, process=process: begun_after(folder, "start", known, process), "the start")
        time.sleep(draw.uniform(0, train_s))
        process.kill()
        process.communicate()
        until(lambda pid=process.pid: not processes_of_session(pid), "the ranks to end with their parent")
    had_state = (RunPaths(folder).checkpoints / "latest").exists()
    resumed = trained(run, folder)
    assert resumed.weights_sha256 == whole.weights_sha256
    assert learned(resumed) == learned(whole)
    assert not had_state or resumed.resumed >= 1
    assert sorted(path.name for path in folder.iterdir()) == ["lock", "ranks", "result.json", "run.json"]
    pytestconfig.cache.set(kept, None)


def test_a_completed_run_is_trained_again_by_hand_only_when_that_is_asked_for(tmp_path: Path) -> None:
    first = trained(make_run("serial", images=64), tmp_path)
    by_hand = [sys.executable, "-m", "scalestudy", "train", str(RunPaths(tmp_path).run)]
    write_model(RunPaths(tmp_path).run, make_run("serial", images=64))
    told = subprocess.run(by_hand, capture_output=True, text=True, check=True, timeout=60)
    assert "this run completed already" in told.stdout
    assert "--again trains it anew" in told.stdout
    assert read_model(RunPaths(tmp_path).result, Result) == first
    subprocess.run([*by_hand, "--again"], check=True, timeout=120)
    again = read_model(RunPaths(tmp_path).result, Result)
    assert again.weights_sha256 == first.weights_sha256
    assert again.total_s != first.total_s


def begun_after(folder: Path, name: str, known: int, process: subprocess.Popen[str]) -> bool:
    """Whether rank 0 has written an event of this name beyond those that are known, or has ended well."""
    assert process.poll() in (None, 0), process.communicate()[1]
    path = RunPaths(folder).events(0)
    return path.exists() and any(event["event"] in (name, "end") for event in read_events(path)[0][known:])


@pytest.mark.parametrize(
    ("strategy", "number", "to_group"),
    [
        ("serial", signal.SIGTERM, False),
        ("ddp", signal.SIGTERM, False),
        ("hsdp", signal.SIGINT, True),
        ("data_parallel", signal.SIGINT, True),
    ],
)
def test_a_run_asked_to_stop_saves_inside_the_epoch_and_goes_on_there(
    strategy: str, number: signal.Signals, to_group: bool, tmp_path: Path
) -> None:
    run = long_run(strategy, model="slow_models:HeldInAStep")
    whole = trained(run, tmp_path / "whole")
    folder, hold = tmp_path / "stopped", tmp_path / "hold"
    hold.touch()
    process = command(folder, run, PYTHONPATH=str(Path(slow_models.__file__).parent), **{slow_models.HOLD: str(hold)})
    until(Path(f"{hold}.held").exists, "the step that holds the run")
    (os.killpg if to_group else os.kill)(process.pid, number)
    hold.unlink()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == EXIT_STOPPED, errors
    assert "Traceback" not in errors
    stop = next(event for event in read_events(RunPaths(folder).events(0))[0] if event["event"] == "stop")
    # In the third of four epochs of 60 steps: ranks ask each other after 32 more at the latest.
    assert stop["epoch"] == 2
    assert 0 < stop["step"] < 60
    resumed = trained(run, folder)
    assert resumed.weights_sha256 == whole.weights_sha256
    assert learned(resumed) == learned(whole)
    assert resumed.resumed == 1
    assert [epoch.parts for epoch in resumed.epochs] == [2 if epoch == stop["epoch"] else 1 for epoch in range(EPOCHS)]


def test_a_run_whose_compression_has_a_memory_of_its_own_starts_anew_and_ends_with_the_same_bits(
    tmp_path: Path,
) -> None:
    run = make_run("ddp", images=2 * IMAGES, epochs=EPOCHS, batch_size=8, options={"compression": "powersgd"})
    whole = trained(run, tmp_path / "whole")
    folder = tmp_path / "stopped"
    process = command(folder, run)
    until(lambda: begun(folder, "evaluation", 2), "the second epoch")
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == EXIT_STOPPED, errors
    assert not RunPaths(folder).checkpoints.exists()
    again = trained(run, folder)
    assert again.weights_sha256 == whole.weights_sha256
    assert again.resumed == 0


def test_a_run_asked_to_stop_before_it_trains_is_not_a_failure(tmp_path: Path) -> None:
    run = long_run("ddp")
    process = command(tmp_path, run)
    until(lambda: len(processes_of_session(process.pid)) > run.processes, "the ranks")
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == EXIT_STOPPED, errors
    assert not RunPaths(tmp_path).result.exists()


def test_a_run_that_another_process_trains_is_refused_in_one_line(tmp_path: Path) -> None:
    run = make_run("ddp", images=IMAGES, epochs=10_000)  # outlasts the start of the second
    first = command(tmp_path, run)
    try:
        until(lambda: begun(tmp_path, "start"), "the first process to train")
        second = command(tmp_path, run)
        _, errors = second.communicate(timeout=60)
        assert second.returncode == 2
        assert errors.count("\n") == 1
        assert f"{tmp_path}: another process trains this run" in errors
        assert first.poll() is None
    finally:
        first.kill()
        first.communicate()
    until(lambda: not processes_of_session(first.pid), "the ranks to end with their parent")
    assert trained(make_run("ddp", epochs=1), tmp_path).outcome == "completed"  # a killed process holds nothing


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Path:
    """A file system of 200 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", place], capture_output=True, text=True, check=False
    )
    need(mount.returncode == 0, f"cannot mount a small file system: {mount.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.parametrize("strategy", ["serial", "ddp"])
def test_a_full_disk_is_one_line_that_names_the_file(strategy: str, tiny_disk: Path) -> None:
    run = make_run(strategy)
    process = command(tiny_disk / "run", run)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors.count("\n") == 1
    assert f"{tiny_disk}/run/checkpoints/" in errors
    assert "No space left on device" in errors
    assert json.loads(RunPaths(tiny_disk / "run").run.read_text())["seed"] == run.seed

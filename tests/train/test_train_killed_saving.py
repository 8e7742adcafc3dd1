"""A run killed at every kind of moment of saving its state, and started again; ranks inherit what kills them."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from train_setup import learned, make_run, start, trained

from scalestudy.errors import StudyError
from scalestudy.records.paths import RunPaths
from scalestudy.train import checkpoint

SECOND = "epoch0002"
Aim = Callable[[pytest.MonkeyPatch, int], None]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before_a_state_has_its_name(monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    replace = Path.replace

    def replaced(self: Path, target: Path) -> Path:
        if target.parent.name.startswith(SECOND) and target.name == f"rank{rank}.pt":
            die()
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", replaced)


def when_a_state_is_half_written(monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    def write(path: Path, content: bytes) -> None:
        if path.parent.name.startswith(SECOND) and path.name == f"rank{rank}.pt":
            path.parent.mkdir(exist_ok=True)
            path.with_name(f".{path.name}.aside").write_bytes(content[: len(content) // 2])
            die()
        written(path, content)

    written = checkpoint.write_bytes
    monkeypatch.setattr(checkpoint, "write_bytes", write)


def when_all_states_are_there_and_the_last_is_not_yet_named(monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    def write(path: Path, content: str) -> None:
        if content.startswith(SECOND):
            die()
        written(path, content)

    written = checkpoint.write_text
    monkeypatch.setattr(checkpoint, "write_text", write)


def when_the_earlier_state_is_half_gone(monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    def remove(folder: Path, **settings: Any) -> None:
        if folder.name.startswith("epoch0001"):
            next(folder.iterdir()).unlink()
            die()
        removed(folder, **settings)

    removed = shutil.rmtree
    monkeypatch.setattr(checkpoint, "shutil", SimpleNamespace(rmtree=remove))


def test_a_run_killed_while_its_state_is_taken_away_ends_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run("serial", images=64, epochs=2)
    whole = trained(run, tmp_path / "whole")
    folder = tmp_path / "killed"

    def remove(place: Path, **settings: Any) -> None:
        if place == RunPaths(folder).checkpoints:
            for state in filter(Path.is_dir, place.iterdir()):
                removed(state)
            die()
        removed(place, **settings)

    removed = shutil.rmtree
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "shutil", SimpleNamespace(rmtree=remove))
        with pytest.raises(StudyError, match="was killed by SIGKILL"):
            start(run, folder)
    again = trained(run, folder)
    assert (again.weights_sha256, learned(again)) == (whole.weights_sha256, learned(whole))


@pytest.mark.parametrize(
    ("aim", "goes_on_after"),
    [
        (before_a_state_has_its_name, 1),
        (when_a_state_is_half_written, 1),
        (when_all_states_are_there_and_the_last_is_not_yet_named, 1),
        (when_the_earlier_state_is_half_gone, 2),
    ],
)
@pytest.mark.parametrize(("strategy", "rank"), [("serial", 0), ("ddp", 0), ("ddp", 1), ("hsdp", 1)])
def test_a_run_killed_while_it_saves_ends_with_the_same_bits(
    strategy: str, rank: int, aim: Aim, goes_on_after: int, tmp_path: Path
) -> None:
    if rank == 1 and aim not in (before_a_state_has_its_name, when_a_state_is_half_written):
        rank = 0  # who alone does what comes after
    run = make_run(strategy, images=64, epochs=3, model="cifar_cnn")
    whole = trained(run, tmp_path / "whole")
    folder = tmp_path / "killed"
    with pytest.MonkeyPatch.context() as monkeypatch:
        aim(monkeypatch, rank)
        with pytest.raises(StudyError, match="was killed by SIGKILL"):
            start(run, folder)
    assert (RunPaths(folder).checkpoints / "latest").read_text().startswith(f"epoch{goes_on_after:04d}")
    resumed = trained(run, folder)
    assert resumed.weights_sha256 == whole.weights_sha256
    assert learned(resumed) == learned(whole)
    assert resumed.resumed == 1
    assert not RunPaths(folder).checkpoints.exists()

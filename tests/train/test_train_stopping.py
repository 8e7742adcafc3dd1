"""Saving and stopping before the end: what asks for it, and what comes of it."""

import os
import sys
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from train_setup import ADAM, learned, make_run, on_ranks, start, trained

from scalestudy.errors import StudyError
from scalestudy.records.events import read_events
from scalestudy.records.paths import RunPaths
from scalestudy.train.control import Control, join_process_group
from scalestudy.train.loop import Trainer
from scalestudy.train.ranks import Rank
from scalestudy.train.stopping import EXIT_STOPPED, MARGIN_S, Stopped, StopRequest, deadline
from scalestudy.train.strategies import divided_update

ALONE = Control(1)


def test_without_a_reason_nothing_stops(tmp_path: Path) -> None:
    stop = StopRequest(ALONE, tmp_path / "stop", time.time() + 3600)
    assert not any(stop.agreed() for _ in range(5))


def test_the_stop_file_is_seen_within_a_second_and_taken_away_when_it_is_obeyed(tmp_path: Path) -> None:
    now = [1000.0]
    stop = StopRequest(ALONE, tmp_path / "stop", clock=lambda: now[0])
    assert not stop.agreed_now()
    (tmp_path / "stop").touch()
    now[0] += 0.5
    assert not stop.agreed_now()  # no question to the file system yet
    now[0] += 0.6
    assert stop.agreed_now()
    assert stop.reason == "stop file"
    stop.obeyed()
    assert not (tmp_path / "stop").exists()


@pytest.mark.parametrize(("step_s", "steps"), [(0.001, 32), (0.09, 11), (0.4, 2), (3.0, 1)])
def test_a_process_alone_looks_about_every_second_and_obeys_a_reason_that_it_has_at_the_next_step(
    step_s: float, steps: int
) -> None:
    """A signal gives it one."""
    looks, now = [0.0], [0.0]

    def clock() -> float:
        looks.append(now[0])
        return now[0]

    stop = StopRequest(ALONE, deadline_s=1000, clock=clock)
    for _ in range(10 * steps):  # it looks at the first two, and then rarely
        now[0] += step_s
        assert not stop.agreed()
    assert max(later - look for look, later in pairwise(looks)) == pytest.approx(steps * step_s)
    assert len(set(looks)) < 15
    now[0] += step_s  # of a step that is not due to be looked at
    stop.reason = "SIGTERM"
    assert stop.agreed()


def test_the_margin_before_the_time_limit_grows_with_the_time_between_two_looks() -> None:
    now = [0.0]
    often = StopRequest(ALONE, deadline_s=1000, clock=lambda: now[0])
    rarely = StopRequest(ALONE, deadline_s=1000, clock=lambda: now[0])
    stopped_at: dict[str, float] = {}
    while len(stopped_at) < 2:
        now[0] += 1
        if "often" not in stopped_at and often.agreed_now():
            stopped_at["often"] = now[0]
        if now[0] % 50 == 0 and "rarely" not in stopped_at and rarely.agreed_now():
            stopped_at["rarely"] = now[0]
    assert 1000 - MARGIN_S - 4 <= stopped_at["often"] < 1000 - MARGIN_S + 1
    assert 1000 - MARGIN_S - 150 <= stopped_at["rarely"] <= 1000 - MARGIN_S - 50


def test_the_deadline_is_that_of_the_executor_before_that_of_slurm() -> None:
    assert deadline({}) is None
    assert deadline({"SLURM_JOB_END_TIME": "2000"}) == 2000
    assert deadline({"SLURM_JOB_END_TIME": "2000", "JOB_DEADLINE": "1000.5"}) == 1000.5
    with pytest.raises(StudyError, match="JOB_DEADLINE: found 'soon'; must be seconds since 1970"):
        deadline({"JOB_DEADLINE": "soon"})


def test_what_one_rank_sees_stops_all_at_the_same_step(tmp_path: Path) -> None:
    (tmp_path / "stop").touch()

    def stopped_at(rank: Rank) -> int:
        join_process_group(rank.rank, rank.ranks, torch.device("cpu"), rank.init_method)
        stop = StopRequest(Control(rank.ranks), tmp_path / "stop" if rank.rank == 0 else None)
        return next(step for step in range(1, 1000) if stop.agreed())

    steps = on_ranks(stopped_at, 2)
    assert steps[0] == steps[1] < 100


def test_ranks_whose_steps_take_long_ask_each_other_about_every_second(tmp_path: Path) -> None:
    """The slowest one counts: rank 1 takes 0.3 s for a step, and rank 0 has the stop file."""

    def steps_until_stop(rank: Rank) -> int:
        join_process_group(rank.rank, rank.ranks, torch.device("cpu"), rank.init_method)
        stop = StopRequest(Control(rank.ranks), tmp_path / "stop" if rank.rank == 0 else None)
        for step in range(1, 40):
            if stop.agreed():
                return step
            if step == 4 and rank.rank == 0:
                (tmp_path / "stop").touch()
            time.sleep(0.3 * rank.rank)
        return 40

    steps = on_ranks(steps_until_stop, 2)
    assert steps[0] == steps[1] <= 12  # looked for once a second, and asked about once a second


def test_no_rank_leaves_before_the_saved_state_is_named() -> None:
    """srun ends the others when one leaves, also the one that names it."""
    done: list[str] = []
    trainer: Any = SimpleNamespace(
        _save=lambda: done.append("state of this rank"),
        control=SimpleNamespace(barrier=lambda: done.append("all have come")),
        stop=SimpleNamespace(reason="", obeyed=lambda: done.append("stop file away")),
        log=SimpleNamespace(write=lambda *_, **__: None),
        progress=SimpleNamespace(epoch=0, step=1),
    )
    with pytest.raises(Stopped):
        Trainer._save_and_stop(trainer)
    assert done == ["state of this rank", "all have come", "stop file away"]


@pytest.mark.parametrize("why", ["stop file", "time limit"])
def test_a_run_stopped_twice_ends_with_the_same_bits_and_the_sum_of_its_parts(
    why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run("ddp", epochs=3, batch_size=2, model="cifar_cnn")  # 165 steps an epoch: looked at every 32
    whole = trained(run, tmp_path / "whole")
    paths = RunPaths(tmp_path / "stopped")
    begin = time.time()
    for _ in range(2):
        if why == "stop file":
            paths.folder.mkdir(exist_ok=True)
            paths.stop.touch()
        else:
            monkeypatch.setenv("JOB_DEADLINE", str(time.time() + MARGIN_S / 2))
        assert start(run, paths.folder) == EXIT_STOPPED
        assert not paths.result.exists()
        assert not paths.stop.exists()
    monkeypatch.delenv("JOB_DEADLINE", raising=False)
    resumed = trained(run, paths.folder)
    stops = [event["reason"] for event in read_events(paths.events(0))[0] if event["event"] == "stop"]
    assert stops == [why, why]
    assert resumed.weights_sha256 == whole.weights_sha256
    assert learned(resumed) == learned(whole)
    assert resumed.resumed == 2
    assert len(resumed.parts) == 3
    assert sum(epoch.time_s + epoch.evaluation_s for epoch in resumed.epochs) < resumed.total_s < time.time() - begin
    assert resumed.epochs[0].parts == 3


@pytest.mark.parametrize(
    ("strategy", "layout"),
    [
        *(("serial", (1, 1)), ("data_parallel", (1, 2)), ("ddp", (1, 2)), ("ddp", (2, 2)), ("hybrid", (2, 2))),
        ("hsdp", (1, 2)),
    ],
)
def test_a_run_that_draws_random_numbers_goes_on_with_those_of_its_next_step(
    strategy: str, layout: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(divided_update, "WORTH_IT", 0)  # as the update of a large model
    model, data = "odd_models:DroppingAtAnyTime", {"augment": "crop_flip"}
    run = make_run(strategy, layout, model=model, data=data, batch_size=4, optimizer=ADAM)
    whole = trained(run, tmp_path / "whole")
    paths = RunPaths(tmp_path / "stopped")
    paths.folder.mkdir()
    for _ in range(2):
        paths.stop.touch()
        assert start(run, paths.folder) == EXIT_STOPPED
    stops = [event for event in read_events(paths.events(0))[0] if event["event"] == "stop"]
    assert [0 < stop["step"] < whole.epochs[0].steps for stop in stops] == [True, True]
    resumed = trained(run, paths.folder)
    assert resumed.resumed == 2
    assert (resumed.weights_sha256, learned(resumed)) == (whole.weights_sha256, learned(whole))


@pytest.mark.parametrize(
    ("layout", "options"),
    [((2, 2), {}), ((1, 3), {"communication": "gloo"}), ((1, 3), {"compression": "bf16"}), ((1, 3), {})],
)
def test_ddp_over_more_than_two_ranks_goes_on_with_the_same_bits(
    layout: tuple[int, int], options: dict[str, Any], tmp_path: Path
) -> None:
    """In which order messages add over them depends on the buckets, which DDP lays anew after its first passes."""
    run = make_run("ddp", layout, options=options)
    whole = trained(run, tmp_path / "whole")
    paths = RunPaths(tmp_path / "stopped")
    paths.folder.mkdir()
    paths.stop.touch()
    assert start(run, paths.folder) == EXIT_STOPPED
    resumed = trained(run, paths.folder)
    assert resumed.resumed == 1
    assert (resumed.weights_sha256, learned(resumed)) == (whole.weights_sha256, learned(whole))


def test_a_stop_file_that_comes_too_late_does_not_stop_the_next_training(tmp_path: Path) -> None:
    run = make_run(epochs=1, images=32)  # one step: there is none to stop before
    paths = RunPaths(tmp_path)
    paths.stop.touch()
    trained(run, paths.folder)
    assert not paths.stop.exists()


def test_a_run_that_was_not_interrupted_has_one_part(tmp_path: Path) -> None:
    result = trained(make_run(epochs=1), tmp_path)
    assert [part.time_s for part in result.parts] == [result.total_s]
    assert result.parts[0].host == os.uname().nodename


def test_a_clock_set_forward_moves_neither_the_total_nor_the_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour, once the first epoch is over: in every module that asks for the time of day."""
    paths, real = RunPaths(tmp_path), time.time

    def jumping() -> float:
        done = paths.events(0).exists() and '"event": "epoch"' in paths.events(0).read_text()
        return real() + (3600 if done else 0)

    import scalestudy.train.job  # noqa: F401  # the ranks' modules, before they are changed

    for module in [module for name, module in sys.modules.items() if name.startswith("scalestudy.")]:
        if getattr(module, "time", None) is real:
            monkeypatch.setattr(module, "time", jumping)
    monkeypatch.setattr(time, "time", jumping)
    result = trained(make_run(), paths.folder)
    times = [event["time"] for event in read_events(paths.events(0))[0]]
    assert max(times) - min(times) > 3600
    assert 0 < result.total_s < 600
    assert [part.time_s for part in result.parts] == [result.total_s]

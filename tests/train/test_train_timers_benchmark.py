"""What benchmarks/timers.py measures, and what it concludes."""

import os
from pathlib import Path
from time import thread_time

import pytest
from train_setup import import_what_ranks_need

from scalestudy.analysis.statistics import Estimate
from scalestudy.train.clock import BACKWARD, DeviceClock

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TWO_CORES = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
SLOW_MARK_S = 0.1
Ends = tuple[float, float]


@TWO_CORES
@pytest.mark.parametrize("strategy", ["serial", "data_parallel", "ddp", "hybrid", "hsdp"])
def test_timers_that_take_long_are_seen_in_every_strategy_and_steps_without_them_are_alike(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, strategy: str
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from timers import LAYOUTS, measure
    from workloads import make_run

    lap = DeviceClock.lap

    def slow(self: DeviceClock, phase: int, now: int | None = None) -> int:
        end = thread_time() + SLOW_MARK_S  # not of the wall: that also passes while others have the core
        while phase == BACKWARD and thread_time() < end:
            pass
        return lap(self, phase, now)

    monkeypatch.setattr(DeviceClock, "lap", slow)
    import_what_ranks_need()
    nodes, devices = LAYOUTS[strategy]
    run = make_run("mnist", tmp_path, strategy, devices, nodes=nodes)
    found = measure(run, 4, [("on", "off", "again"), ("again", "off", "on")])
    assert {name: len(steps) for name, steps in found.items()} == {"on": 8, "off": 8, "again": 8}
    processor_s, wall_s = ({name: sorted(getattr(step, kind) for step in steps)[4] for name, steps in found.items()}
                           for kind in ("cpu_s", "wall_s"))  # fmt: skip
    marks = run.cell.devices
    assert processor_s["on"] - processor_s["off"] == pytest.approx(marks * SLOW_MARK_S, rel=0.4)
    assert wall_s["on"] - wall_s["off"] > 0.6 * SLOW_MARK_S
    assert abs(processor_s["again"] - processor_s["off"]) < 0.3 * SLOW_MARK_S


def test_every_rank_draws_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """They meet in every step: another order on one of them would reduce the gradients of two trainers together."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import timers

    def order(loaded: tuple[str, ...]) -> list[str]:
        seen: list[str] = []
        monkeypatch.setattr(timers, "train_step", lambda trainer, _: seen.append(trainer.name))
        timers.rounds({name: Named(name) for name in loaded}, 50)
        return seen

    seen = order(("on", "off", "again"))
    assert seen == order(("again", "on", "off"))
    assert len(seen) == 3 * 55
    assert len({tuple(seen[place : place + 3]) for place in range(0, len(seen), 3)}) == 6


class Named:
    """In place of a trainer."""

    steps = 7

    def __init__(self, name: str) -> None:
        self.name = name


@pytest.mark.parametrize(
    ("costs", "differences", "code"),
    [
        ([(-0.002, 0.006), (-0.03, 0.0)], [(-0.003, 0.009), (-0.009, 0.0)], 0),
        ([(-0.002, 0.006), (0.004, 0.01)], [(-0.003, 0.003), (-0.003, 0.003)], 1),
        ([(-0.002, 0.006), (-0.03, 0.0)], [(-0.003, 0.003), (-0.003, 0.01)], 1),
        ([(-0.002, 0.006), (-0.03, 0.0)], [(-0.003, 0.003), (-0.022, 0.001)], 1),
    ],
)
def test_it_fails_when_timers_may_cost_a_percent_and_when_noise_keeps_it_from_telling(
    monkeypatch: pytest.MonkeyPatch, costs: list[Ends], differences: list[Ends], code: int
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from timers import exit_code

    estimates = [[Estimate(0.0, *ends) for ends in row] for row in (costs, differences)]
    assert exit_code(*estimates) == code


def test_without_an_interval_it_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from timers import exit_code

    known = Estimate(0.0, -0.001, 0.001)
    assert exit_code([known], [known]) == 0
    assert exit_code([Estimate(0.0)], [known]) == exit_code([known], [Estimate(0.0)]) == 1

"""What benchmarks/timers.py concludes from what it measured."""

from pathlib import Path

import pytest

from scalestudy.analysis.statistics import Estimate

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
Ends = tuple[float, float]


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

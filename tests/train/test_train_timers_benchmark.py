"""What benchmarks/timers.py concludes from what it measured."""

from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize(
    ("costs", "differences", "code"),
    [
        ([0.002, -0.004], [0.003, -0.009], 0),
        ([0.002, 0.01], [0.001, 0.001], 1),
        ([-0.001, -0.002], [0.003, 0.01], 1),
        ([-0.001, -0.002], [0.003, -0.022], 1),
    ],
)
def test_it_fails_when_timers_cost_a_percent_and_when_noise_keeps_it_from_telling(
    monkeypatch: pytest.MonkeyPatch, costs: list[float], differences: list[float], code: int
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from timers import exit_code

    assert exit_code(costs, differences) == code

"""Known truth: a link slowed to a known rate must show up, byte for byte, as communication."""

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from slow_link import enter, need_namespaces, slowed, two_namespaces
from train_setup import import_what_ranks_need, make_run

from scalestudy.records.files import read_model
from scalestudy.records.paths import RunPaths
from scalestudy.records.result import Result
from scalestudy.spec.run import Run
from scalestudy.train.job import Job, run_rank
from scalestudy.train.processes import run_ranks
from scalestudy.train.ranks import Rank

MBIT = 10
"""So slow that what ranks take for an exchange on a busy machine hardly counts beside it."""
TOLERANCE = 0.15
STRATEGIES = ["ddp", "hybrid", "hsdp"]


@pytest.fixture(scope="module")
def namespaces() -> Iterator[list[str]]:
    need_namespaces()
    with two_namespaces() as names:
        yield names


def trained_over(names: list[str], run: Run, folder: Path) -> Result:
    """The run with one rank in each namespace."""
    import_what_ranks_need()
    job = Job(run=run, paths=RunPaths(folder), title="test", started=time.time())

    def work(rank: Rank) -> int:
        enter(names[rank.rank])
        run_rank(job, rank)
        return 0

    assert run_ranks(work, 2) == 0
    return read_model(RunPaths(folder).result, Result)


def run_of(strategy: str) -> Run:
    """Two nodes of one device. One bucket, so that nothing runs beside the backward pass and all time is exposed."""
    options = {"communication": "gloo", "bucket_mb": 64} if strategy == "ddp" else None
    return make_run(strategy, (2, 1), options=options, epochs=2, untimed_epochs=1, images=32 * 4)


@pytest.fixture(scope="module", params=STRATEGIES)
def both(request: pytest.FixtureRequest, namespaces: list[str], tmp_path_factory: pytest.TempPathFactory):
    """The same run over the link as it is, and slowed."""
    run = run_of(request.param)
    fast = trained_over(namespaces, run, tmp_path_factory.mktemp("fast"))
    with slowed(namespaces, MBIT):
        slow = trained_over(namespaces, run, tmp_path_factory.mktemp("slow"))
    return fast, slow


def expected_s(result: Result) -> float:
    """Each of two ranks sends and receives the whole of the gradients once: half of them summed, half of the sums.

    On the wire a packet of 1448 bytes of them has 1514.
    """
    return result.gradient_bytes * (1514 / 1448) / (MBIT * 1e6 / 8)


def held_s(result: Result) -> float:
    """Exposed communication per step and device."""
    return sum(device.communication for device in result.phases) / sum(device.steps for device in result.phases)


def cost_s(result: Result) -> float:
    cost = result.communication_cost
    assert cost is not None
    assert cost.with_s, cost.reason
    return median(a - b for a, b in zip(cost.with_s, cost.without_s, strict=True))


def test_the_added_time_is_exposed_communication(both: tuple[Result, Result]) -> None:
    fast, slow = both
    assert held_s(slow) - held_s(fast) == pytest.approx(expected_s(slow), rel=TOLERANCE)


def test_the_added_time_is_the_cost_of_communication(both: tuple[Result, Result]) -> None:
    fast, slow = both
    assert cost_s(slow) - cost_s(fast) == pytest.approx(expected_s(slow), rel=TOLERANCE)

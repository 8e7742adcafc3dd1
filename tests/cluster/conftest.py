"""What the tests on the SLURM cluster share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running_beside import Beside, started
from slurm_here import cluster, need_cluster
from slurm_workflow import SlurmWorkflow


def pytest_runtest_setup() -> None:
    """Here, and not in a fixture, all that is skipped is one line."""
    need_cluster()


@pytest.fixture(scope="session", autouse=True)
def slurm_cluster() -> Iterator[None]:
    """One for all tests."""
    with cluster():
        yield


@pytest.fixture
def workflow(tmp_path: Path) -> Iterator[Callable[[str], SlurmWorkflow]]:
    """Makes workflows; none may leave a job in the queue."""
    flows: list[SlurmWorkflow] = []

    def make(rules: str) -> SlurmWorkflow:
        flows.append(SlurmWorkflow(tmp_path / f"flow{len(flows)}", rules))
        return flows[-1]

    yield make
    assert [flow.clean_up() for flow in flows] == [[]] * len(flows)


@pytest.fixture(scope="session")
def beside(slurm_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    """Started with the first test that needs one of them, or wants them to begin early."""
    made = started(tmp_path_factory.mktemp)
    yield made
    made.stopped.clean_up()
    made.limited.clean_up(within_s=0)
    made.deaf.clean_up(within_s=0)

"""These tests need a SLURM cluster that answers."""

import pytest
from slurm_here import need_cluster


@pytest.fixture(scope="session", autouse=True)
def slurm_cluster() -> None:
    need_cluster()

"""Makes the modules beside this file importable by every test: synthetic_study, report_data, train_setup."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _environment_as_it_was() -> Iterator[None]:
    """What a test leaves in the environment would reach the jobs that a later one submits."""
    before = dict(os.environ)
    yield
    left = {name for name in before.keys() | os.environ.keys() if before.get(name) != os.environ.get(name)}
    left.discard("PYTEST_CURRENT_TEST")
    os.environ.clear()
    os.environ.update(before)
    assert not left, f"the test changed environment variables: {sorted(left)}"

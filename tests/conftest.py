"""Makes the modules beside this file importable by every test: synthetic_study, report_data, train_setup."""

import os
import signal
from collections.abc import Iterator

import pytest

# A shell that runs the tests in the background has them ignore Ctrl-C, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _environment_as_it_was() -> Iterator[None]:
    """What a test leaves in the environment would reach the jobs that a later one submits."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)

"""Makes the modules beside this file importable by every test, and sets what holds for all of them."""

import os
import signal
from collections.abc import Iterator

import hypothesis
import pytest

# How long one example takes says nothing on a machine that others use, too.
hypothesis.settings.register_profile("shared machine", deadline=None)
hypothesis.settings.load_profile("shared machine")
# A shell that runs the tests in the background has them ignore Ctrl-C, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _environment_as_it_was() -> Iterator[None]:
    """What a test leaves in the environment would reach the jobs that a later one submits."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)

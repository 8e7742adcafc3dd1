"""What a test needs of the machine: where it lacks it the test is skipped with the reason; in CI that is a failure."""

import os

import pytest


def need(there: bool, why: str) -> None:
    """Skips or fails the test where it is not there; ``why`` says what is missing and how to get it."""
    if not there:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)

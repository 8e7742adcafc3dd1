"""The executor stays small: who reads it in an hour can mend it."""

from pathlib import Path

import pytest

import snakemake_executor_plugin_submitit
import submitit_ranks


@pytest.mark.parametrize(("package", "most"), [(snakemake_executor_plugin_submitit, 400), (submitit_ranks, 480)])
def test_a_package_has_no_more_lines_than_its_bound(package: object, most: int) -> None:
    """All lines, those of docstrings, comments and blank ones included."""
    files = Path(str(package.__file__)).parent.glob("*.py")  # type: ignore[attr-defined]
    assert sum(len(file.read_text().splitlines()) for file in files) <= most

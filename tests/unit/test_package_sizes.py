"""What submits jobs stays small: who reads it in an hour can mend it."""

from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"


@pytest.mark.parametrize(("package", "most"), [("snakemake_executor_plugin_submitit", 400), ("submitit_ranks", 600)])
def test_a_package_has_no_more_lines_than_its_bound(package: str, most: int) -> None:
    """All lines, those of docstrings, comments and blank ones included. The executor is what Snakemake calls; what it
    stands on has more, for the ways in which SLURM loses, holds or refuses jobs.
    """
    files = list((SOURCE / package).rglob("*.py"))
    assert files
    assert sum(len(file.read_text().splitlines()) for file in files) <= most

"""A study of 2,000 runs: how long Snakemake plans it for a cluster, beside as many jobs that do nothing."""

import subprocess
import sys

from slurm_workflow import ROOT


def test_a_dry_run_of_2000_runs_takes_at_most_twice_as_long_as_bare_snakemake() -> None:
    command = [sys.executable, ROOT / "benchmarks/dry_run.py", "--runs", "2000", "--rounds", "1", "--profile-only"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2000 jobs: bare" in done.stdout

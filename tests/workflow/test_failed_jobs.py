"""Under `--quiet all`, as `make run` has it, a failed job is told with its rule, its ending and its log."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

RULES = Path(__file__).parents[2] / "workflow" / "rules"
SNAKEFILE = """
include: "{rules}/failed.smk"

rule broken:
    output:
        "out/broken.txt",
    log:
        "broken.log",
    shell:
        "exec 2> {{log}}; {command}"
"""


def failed(folder: Path, command: str) -> list[str]:
    """What Snakemake prints of a job with this command."""
    (folder / "Snakefile").write_text(SNAKEFILE.format(rules=RULES, command=command))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE")}
    arguments = [sys.executable, "-m", "snakemake", "out/broken.txt", "--cores", "1", "--quiet", "all"]
    done = subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode != 0
    return (done.stdout + done.stderr).splitlines()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("seq 30 >&2; exit 3", ["(exit code 3).", *(f"    {number}" for number in range(21, 31))]),
        ("kill -KILL $$", ["(killed by SIGKILL).", "Its log broken.log is empty."]),
        ("bash -c 'kill -TERM $$'", ["(killed by SIGTERM)."]),
        ("rm broken.log; false", ["(exit code 1).", "It has no log broken.log."]),
    ],
)
def test_a_failed_job_is_told_with_its_ending_and_the_end_of_its_log(
    tmp_path: Path, command: str, said: list[str]
) -> None:
    lines = failed(tmp_path, command)
    assert lines[0] == f"The rule broken failed {said[0]}"
    assert lines[-1] == said[-1] or len(said) == 1
    assert all(line in lines for line in said[1:])


def test_a_reason_that_was_printed_is_not_said_twice(tmp_path: Path) -> None:
    lines = failed(tmp_path, "echo 'scalestudy data: no such file' >&2; exit 2")
    assert lines == [
        "The rule broken failed (exit code 2).",
        "Its log, which ends with the line above: broken.log",
    ]


def test_what_snakemake_itself_cannot_do_is_said(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file, where a folder must be")
    lines = failed(tmp_path, "true")
    assert any("out" in line for line in lines if line.startswith("snakemake: ")), lines


def test_a_job_that_stopped_to_be_started_again_did_not_fail(tmp_path: Path) -> None:
    assert failed(tmp_path, "exit 75") == [
        "The rule broken stopped early (exit code 75); the next call goes on where it was.",
        "Its log: broken.log",
    ]

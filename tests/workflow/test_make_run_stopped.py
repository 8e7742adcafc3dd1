"""Ctrl-C in `make run` on a terminal: no failure, and nothing of Make's or Snakemake's."""

import os
import pty
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
SNAKEFILE = f"""
include: "{ROOT}/workflow/rules/failed.smk"

rule train:
    output:
        "results/result.json",
    log:
        "train.log",
    shell:
        "exec {{sys.executable}} train.py 2> {{{{log}}}}"
"""
TRAINING = """
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: (time.sleep(0.5), sys.exit(75)))
print("training", flush=True)
time.sleep(60)
"""


def project(folder: Path) -> Path:
    """A folder in which `make run` finds all installed and one job to do, which saves and stops when asked to."""
    (folder / "Snakefile").write_text(SNAKEFILE.format(sys=sys))
    (folder / "train.py").write_text(TRAINING)
    (folder / "containers").mkdir()
    for name in ("Makefile", "pyproject.toml", "containers/requirements.lock"):
        shutil.copyfile(ROOT / name, folder / name)
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, arguments in {"python": "", "snakemake": "-m snakemake", "scalestudy": "-m scalestudy", "uv": ""}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        (programs / name).chmod(0o755)
    (folder / ".venv" / "run.stamp").touch()
    return folder


def test_ctrl_c_in_make_run_leaves_one_line_and_ends_make_as_an_interrupted_one(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SNAKEMAKE", "MAKE"))}
    written = b""
    with subprocess.Popen(
        ["setsid", "--ctty", "make", "run"],
        cwd=project(tmp_path),
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        with suppress(OSError):  # the terminal is gone when its last writer is
            while piece := os.read(ours, 4096):
                written += piece
                if b"training" in piece:
                    os.write(ours, b"\x03")
        os.close(ours)
    lines = [line for line in written.decode().replace("^C", "").splitlines() if line]
    assert lines == ["training", "Stopped. The same command goes on where it was."]
    assert process.returncode == -signal.SIGINT

"""Builders and looks into images end with the program that started them, and so does what they started."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scalestudy.container import ending
from scalestudy.container.ending import ended_with_us, output_of
from scalestudy.container.inside import run_inside
from scalestudy.errors import StudyError
from scalestudy.records.files import write_model
from scalestudy.records.image import Image

# A builder that builds in another process, and leaves it alone when it is ended itself; that one cleans up.
BUILDER = """
import subprocess, sys

inner = "import signal, sys, time; from pathlib import Path; begun = Path('begun'); " \\
    "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), Path('cleaned').touch(), sys.exit(1))); " \\
    "begun.touch(); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", inner]).wait()
"""
STARTED = """
import signal, sys
from scalestudy.container.ending import ended_with_us

signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
with ended_with_us([sys.executable, "-c", {builder!r}]) as process:
    process.wait()
"""


def wait_for(path: Path) -> None:
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end, path
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_a_builder_builds_in_is_asked_to_end_and_cleans_up(number: int, tmp_path: Path) -> None:
    started = subprocess.Popen([sys.executable, "-c", STARTED.format(builder=BUILDER)], cwd=tmp_path)
    wait_for(tmp_path / "begun")
    started.send_signal(number)
    started.wait(30)
    wait_for(tmp_path / "cleaned")


def test_one_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "CLEAN_UP_S", 0.5)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    processes = []

    def interrupted() -> None:
        with ended_with_us([sys.executable, "-c", deaf], stdout=subprocess.PIPE) as process:
            processes.append(process)
            assert process.stdout is not None
            assert process.stdout.readline() == b"1\n"
            raise KeyboardInterrupt

    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert processes[0].returncode == -signal.SIGKILL
    assert time.monotonic() - begin < 20


def test_a_look_that_takes_too_long_leaves_nothing_running(tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        output_of(["/bin/sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; wait"], 0.5)
    pid = (tmp_path / "pid").read_text().strip()
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}/stat").exists() and ") Z " not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ([], "needs a command to run"),
        (["/no/such/program"], "/no/such/program: cannot be run: No such file or directory"),
        (["/etc/passwd"], "/etc/passwd: cannot be run: Permission denied"),
    ],
)
def test_without_an_image_a_command_that_is_none_is_one_line(command: list[str], said: str, tmp_path: Path) -> None:
    write_model(tmp_path / "image.json", Image(engine="none"))
    with pytest.raises(StudyError, match=said):
        run_inside(tmp_path / "image.json", command)

"""What a person sees of a run: the loss as it falls on a terminal, a line per epoch elsewhere."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

from train_setup import make_run

from scalestudy.records.files import write_model
from scalestudy.records.paths import RunPaths
from scalestudy.train.stopping import EXIT_STOPPED

NAME = "tiny strong ddp-1x2 seed 1"
CLEAR = "\x1b[2K"


def planned(folder: Path) -> list[str]:
    """The command that trains a run of two ranks."""
    path = RunPaths(folder).run
    write_model(path, make_run("ddp", batch_size=4))
    return [sys.executable, "-m", "scalestudy", "train", str(path)]


def on_a_terminal(command: list[str], columns: int, interrupted_at: str = "") -> tuple[str, int]:
    """What the command writes to a terminal of this width, and its exit code; Ctrl-C is pressed once it says so."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    without = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    written = b""
    own = ["setsid", "--ctty", *command]
    with subprocess.Popen(own, stdin=theirs, stdout=theirs, stderr=theirs, env=without) as process:
        os.close(theirs)
        with suppress(OSError):  # the terminal is gone when its last writer is
            while piece := os.read(ours, 4096):
                written += piece
                if interrupted_at and interrupted_at in written.decode():
                    os.write(ours, b"\x03")
                    interrupted_at = ""
        os.close(ours)
    return written.decode(), process.returncode


def test_a_terminal_shows_the_loss_inside_an_epoch_in_one_row_and_keeps_a_line_per_epoch(tmp_path: Path) -> None:
    written, code = on_a_terminal(planned(tmp_path), columns=50)
    assert code == 0, written
    rows = [row.strip("\r").split("\r") for row in written.split("\n") if row]
    assert [row[-1].partition("  loss")[0] for row in rows] == [
        f"{CLEAR}{NAME}  epoch {epoch}/2" for epoch in (1, 2)
    ]  # of rank 0 alone
    live = [text.removeprefix(CLEAR) for row in rows for text in row[:-1]]
    shown = [re.fullmatch(r"tiny strong .*  epoch \d/2  step (\d+)/83  loss (\d\.\d{4})", text) for text in live]
    first, *_ = shown
    assert all(shown)
    assert first is not None
    assert first[1] == "1"
    assert 0.5 < float(first[2]) < 3  # a mean over images: four classes, and ln 4 is 1.39
    assert max(map(len, live)) < 50


def test_ctrl_c_inside_an_epoch_takes_the_live_row_away(tmp_path: Path) -> None:
    written, code = on_a_terminal(planned(tmp_path), columns=50, interrupted_at="step 1/83")
    assert code == EXIT_STOPPED, written
    last_row = written.split("\n")[-1]
    assert "step 1/83" in last_row
    assert last_row.endswith(f"\r{CLEAR}")


def test_a_pipe_gets_a_line_per_epoch_and_nothing_else(tmp_path: Path) -> None:
    done = subprocess.run(planned(tmp_path), capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert [line.partition("  loss")[0] for line in lines] == [f"{NAME}  epoch {epoch}/2" for epoch in (1, 2)]

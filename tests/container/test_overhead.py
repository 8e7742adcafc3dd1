"""What the image costs, as benchmarks/container.py measures it; the machine need not be quiet."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import sysconfig
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import ModuleType

import pytest
from ordinary_user import ROOT
from study_folder import StudyFolder

from scalestudy.analysis.statistics import Estimate

BENCHMARK = ROOT / "benchmarks" / "container.py"
PYTHON = "/usr/bin/python3"
"""Outside: the system's, the same build as in the image, whose base is made of the system's packages."""


def benchmark(record: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The benchmark with the packages of this environment outside, in the project's folder, which is bound."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{sysconfig.get_path('purelib')}"}
    command = [PYTHON, BENCHMARK, record, "--network", "mnist", *options]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1200, check=False)


@pytest.fixture(scope="module")
def module() -> ModuleType:
    """The benchmark as a module."""
    spec = importlib.util.spec_from_file_location("container_benchmark", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


def test_the_steady_state_inside_is_that_outside_wherever_the_machine_is_quiet_enough_to_tell(
    built: StudyFolder, sif: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    image = built.json("images/image.json") | {"reference": str(sif)}
    image["run"]["options"] = ["--userns"]  # root in a container, where its rights are not whole, needs it
    record = tmp_path / "image.json"
    record.write_text(json.dumps(image))
    done = benchmark(record, "--starts", "8", "--turns", "4")
    assert done.returncode in (0, 2), done.stdout + done.stderr
    if not request.config.getoption("--sif"):  # which may be of another source
        assert "several programs" not in done.stdout, done.stdout
    (ratio,) = re.findall(r"^inside / outside: geometric mean ([\d.]+), 95 % interval ", done.stdout, re.MULTILINE)
    assert 0.85 < float(ratio) < 1.15  # though this machine may be busy
    for what, unit in (("start-up", "s"), ("steady state", "images/s")):
        (row,) = (line for line in done.stdout.splitlines() if line.startswith(f"| {what}"))
        places = re.findall(rf"([\d.e+]+) {unit} \([\d.e+]+ to [\d.e+]+\)", row)
        assert len(places) == 3
        assert all(float(place) > 0 for place in places)
    assert re.search(
        r"; \d+\.\d% foreign load; (the image costs at most 1% of the steady state|not decided: )",
        done.stdout,
    )


def test_a_worker_that_does_not_start_ends_the_benchmark_in_one_line(tmp_path: Path) -> None:
    done = benchmark(tmp_path / "missing.json", "--starts", "3", "--turns", "1")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert "container.py: a worker ended with code 2: " in done.stderr.splitlines()[-1]


class Answers:
    """In place of a worker's connection: the same rate at every turn."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def send(self, _: bool) -> None:
        """A turn begins."""

    def poll(self, _: float) -> bool:
        """Whether there is an answer."""
        return True

    def recv(self) -> tuple[float, float]:
        """Images/s and seconds of CPU."""
        return self.rate, 0.0


@pytest.mark.parametrize(("rate", "code"), [(1000, 0), (950, 1), (1050, 2)])
def test_an_inside_that_is_slower_or_faster_is_told_from_as_many_starts_as_the_test_above_has(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, rate: float, code: int
) -> None:
    def worker(image: str, *_: object) -> AbstractContextManager[tuple[Answers, float, str]]:
        return nullcontext((Answers(rate if image else 1000), 1.0, "3.11"))

    monkeypatch.setattr(module, "worker", worker)
    monkeypatch.setattr(module, "LOAD_LIMIT", 1.0)  # whatever else this machine does
    monkeypatch.setattr(sys, "argv", ["container.py", "image.json", "--starts", "8", "--turns", "4"])
    assert module.main() == code


@pytest.mark.parametrize(
    ("middle", "low", "high", "again", "foreign", "code"),
    [
        (1.0, 1.0, 1.0, 1.0, 0.0, 0),
        (1.0, 0.992, 1.009, 1.008, 0.049, 0),
        (0.975, 0.97, 0.98, 1.0, 0.01, 1),
        (1.011, 1.0, 1.03, 1.0, 0.01, 0),
        (1.031, 1.02, 1.04, 1.0, 0.01, 2),
        (0.99, 0.98, 1.0, 1.0, 0.01, 2),
        (1.01, 1.0, 1.02, 1.0, 0.01, 0),
        (1.0, 0.99, 1.02, 1.0, 0.01, 0),
        (1.0, 0.97, 1.03, 1.0, 0.01, 2),
        (1.0, None, None, 1.0, 0.01, 2),
        (0.975, 0.97, 0.98, 1.02, 0.01, 2),
        (1.0, 1.0, 1.0, 0.98, 0.01, 2),
        (0.975, 0.97, 0.98, 1.0, 0.06, 2),
    ],
)
def test_the_verdict_follows_the_interval_foreign_load_and_what_two_processes_outside_differ_by(
    module: ModuleType,
    middle: float,
    low: float | None,
    high: float | None,
    again: float,
    foreign: float,
    code: int,
) -> None:
    assert module.verdict(Estimate(middle, low, high), again, foreign, {"3.11"})[0] == code


def test_steps_of_two_programs_tell_nothing_of_the_image(module: ModuleType) -> None:
    code, words = module.verdict(
        Estimate(1.0, 1.0, 1.0), 1.0, 0.0, {"Python 3.11.2, torch 2", "Python 3.11.7, torch 2"}
    )
    assert code == 2
    assert words == "not decided: several programs trained: Python 3.11.2, torch 2; Python 3.11.7, torch 2"

"""Time and memory of the report for 1,000 runs: bars 10 s and 300 MB. ``python benchmarks/report.py [RUNS]``.

The numbers in the report are made up; each round is a process of its own, imports included.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
SECONDS, MEGABYTES = 10.0, 300
SEEDS_OF = 26
"""Cells of the made-up study: each has as many seeds as the asked number of runs needs."""


def build(folder: Path, runs: int) -> None:
    """Write a made-up study of so many runs, or a little more, and set its report."""
    sys.path.insert(0, str(ROOT / "tests"))
    import report_data  # type: ignore[import-not-found]

    from scalestudy.records.files import write_model, write_text
    from scalestudy.records.paths import StudyPaths
    from scalestudy.report.build import build_report

    shape = report_data.Shape(scalings=("strong",), layouts=dict(report_data.CLUSTER), seeds=-(-runs // SEEDS_OF))
    data = report_data.build(shape)
    paths = StudyPaths(folder)
    write_model(paths.report, data)
    write_text(paths.tables / "runs.csv", "run\n" + "".join(f"{run.run}\n" for run in data.runs))
    started, worked = time.perf_counter(), time.process_time()
    build_report(folder, folder / "out")
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - worked
    peak = int(re.findall(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[0]) // 1024
    print(f"{len(data.runs)} {wall_s:.2f} {cpu_s:.2f} {peak}")


def main() -> int:
    """Three rounds; exit code 1 when a median misses its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="?", type=int, default=1000)
    parser.add_argument("--build", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.build:
        build(arguments.build, arguments.runs)
        return 0
    rounds = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, str(arguments.runs), "--build", folder]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rounds.append([float(word) for word in said.split()])
    runs, wall_s, cpu_s, peak = (median(column) for column in zip(*rounds, strict=True))
    print(f"{runs:.0f} runs: {wall_s:.1f} s, of them {cpu_s:.1f} s of one core; {peak:.0f} MB")
    print(f"bars: {SECONDS:.0f} s of one core, {MEGABYTES} MB")
    return int(cpu_s > SECONDS or peak > MEGABYTES)


if __name__ == "__main__":
    sys.exit(main())

"""Time and memory of the report for 1,000 runs: bars 10 s and 300 MB. ``python benchmarks/report.py [RUNS]``.

The made-up study has 4 workloads, 3 scalings and 5 strategies on up to 16 devices, and every table filled. Each round
is a process of its own, imports included, and counted with the processes that it starts.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
SECONDS, MEGABYTES = 10.0, 300
CELLS = 156
"""Of the made-up study: each has as many seeds as the asked number of runs needs."""
BUILD = (
    "import sys; from pathlib import Path; from scalestudy.report.build import build_report;"
    "build_report(Path(sys.argv[1]), Path(sys.argv[1]) / 'out')"
)


def make(folder: Path, runs: int) -> int:
    """Write the results of a made-up study of so many runs, or a little more, and return how many."""
    import report_data  # type: ignore[import-not-found]
    from report_findings import with_findings  # type: ignore[import-not-found]

    from scalestudy.records.files import write_model, write_text
    from scalestudy.records.paths import StudyPaths

    data = with_findings(report_data.broad(seeds=-(-runs // CELLS)))
    paths = StudyPaths(folder)
    write_model(paths.report, data)
    write_text(paths.tables / "runs.csv", "run\n" + "".join(f"{run.run}\n" for run in data.runs))
    return len(data.runs)


def main() -> int:
    """Three rounds; exit code 1 when a median misses its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="?", type=int, default=1000)
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT / "tests"))
    from process_memory import taken_by  # type: ignore[import-not-found]

    with tempfile.TemporaryDirectory() as folder:
        runs = make(Path(folder), arguments.runs)
        rounds = [taken_by([sys.executable, "-c", BUILD, folder]) for _ in range(3)]
    peak, cpu_s, wall_s = (median(column) for column in zip(*rounds, strict=True))
    print(f"{runs} runs: {wall_s:.1f} s, of them {cpu_s:.1f} s of one core; {peak:.0f} MB in all processes")
    print(f"bars: {SECONDS:.0f} s of one core, {MEGABYTES} MB")
    return int(cpu_s > SECONDS or peak > MEGABYTES)


if __name__ == "__main__":
    sys.exit(main())

"""How long `snakemake -n` takes for a study of many runs, beside bare Snakemake with as many jobs that do nothing.

    python benchmarks/dry_run.py [--runs 2000] [--rounds 3] [--profile-only]

Both are asked in turn; the ratio of the medians is printed, and the exit code is 1 above the bar.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import yaml

ROOT = Path(__file__).resolve().parents[1]
BAR = 2.0
BARE = """
rule all:
    default_target: True
    input: expand("done/{{number}}", number=range({runs}))
    localrule: True
rule one:
    output: "done/{{number}}"
    shell: "touch {{output}}"
"""


def bare(folder: Path, runs: int) -> Path:
    """A workflow of so many trivial jobs."""
    folder.mkdir()
    (folder / "Snakefile").write_text(BARE.format(runs=runs))
    return folder


def study(folder: Path, runs: int) -> Path:
    """The real workflow with a study of so many runs: four cells, the rest seeds."""
    folder.mkdir()
    shutil.copy(ROOT / "Snakefile", folder)
    for part in ("workflow", "slurm"):
        shutil.copytree(ROOT / part, folder / part)
    net = {"data": {"name": "synthetic"}, "model": {"name": "mnist_cnn"}, "epochs": 1, "untimed_epochs": 0}
    strategies = ["serial", "data_parallel", "ddp", "hybrid"]
    seeds = list(range(runs // len(strategies)))
    config = {
        "study": "large",
        "workloads": {"net": net | {"optimizer": {"name": "adam", "lr": 0.01}}},
        "studies": {"large": {"workloads": ["net"], "strategies": strategies, "seeds": seeds}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def seconds(folder: Path, *arguments: str) -> float:
    """One dry run, from the start of the process to its end."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "all", *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE")}
    begin = perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return perf_counter() - begin


def main() -> int:
    """Print the times of each round, the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile-only", action="store_true", help="for a cluster, and not for this machine")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="scalestudy-benchmark-") as name:
        folders = {"bare": bare(Path(name) / "bare", asked.runs), "study": study(Path(name) / "study", asked.runs)}
        places = {"": ["--cores", "2"], " --profile slurm": ["--profile", str(ROOT / "slurm")]}
        if asked.profile_only:
            places.pop("")
        times: dict[tuple[str, str], list[float]] = {(place, who): [] for place in places for who in folders}
        for _ in range(asked.rounds):
            for (place, who), measured in times.items():
                measured.append(seconds(folders[who], *places[place]))
    ratios = []
    for place in places:
        bare_s, study_s = (statistics.median(times[place, who]) for who in folders)
        ratios.append(study_s / bare_s)
        print(
            f"snakemake -n{place}, {asked.runs} jobs: bare {bare_s:.1f} s, study {study_s:.1f} s, "
            f"ratio {ratios[-1]:.2f} (rounds: {spread(times[place, 'bare'])}; {spread(times[place, 'study'])})"
        )
    return int(max(ratios) > BAR)


def spread(times: list[float]) -> str:
    """All values, for a look at the noise."""
    return ", ".join(f"{time:.1f}" for time in times)


if __name__ == "__main__":
    sys.exit(main())

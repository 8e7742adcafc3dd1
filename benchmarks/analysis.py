"""Collect and analyze a synthetic study of 10,000 runs with 64 ranks each: time and peak memory, cold, warm, one new.

    python benchmarks/analysis.py [--runs 10000] [--folder FOLDER]

The study is made first (some 650,000 small files, 2.2 GB), through the record models; nothing in it was measured. Each
measurement is a process of its own on two cores; its memory is the peak of its main process and those of its readers
together. Every rank has its own times, process and host.
The exit code is 1 when a measurement takes longer than the bar or more memory, or when there are no two cores.
"""

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from synthetic_study import event_lines, result_of, workload_of

from scalestudy.records.paths import RunPaths, StudyPaths
from scalestudy.spec.run import Cell, Run, Study

LAYOUTS = ((2, 32), (4, 16), (8, 8), (16, 4))
STRATEGIES = ("ddp", "hsdp")
SEEDS = 10
EPOCHS = 10
RANKS = 64
BAR_S = 20.0
BAR_BYTES = 10**9
CORES = 2
"""The bar is for so many."""


def runs_of(count: int) -> list[Run]:
    """At least ``count`` runs of 64 ranks over as many workloads as that takes, and their serial bases."""
    runs: list[Run] = []
    workload = 0
    while sum(run.processes == RANKS for run in runs) < count:
        cells = [
            Cell(workload=f"net{workload}", scaling="epoch", strategy=strategy, nodes=nodes, devices_per_node=devices)
            for strategy, layouts in (("serial", ((1, 1),)), *((name, LAYOUTS) for name in STRATEGIES))
            for nodes, devices in layouts
        ]
        runs += [
            Run(
                study="large",
                cell=cell,
                seed=seed,
                workload=workload_of(workload, EPOCHS),
                device="cpu",
                cores_per_device=1,
                oversubscribed=False,
                data_folder="data/prepared/none",
            )
            for cell in cells
            for seed in range(SEEDS)
        ]
        workload += 1
    return runs


def write_run(results: Path, run: Run) -> None:
    """Write the folder of a run, without waiting for the disk."""
    paths = RunPaths.of(results, run)
    paths.ranks.mkdir(parents=True)
    paths.run.write_text(run.model_dump_json(indent=1) + "\n")
    time_s = 100 / run.cell.devices**0.9 * (1 + 0.01 * (run.seed % 7 - 3))
    result = result_of(run, time_s=time_s, compute_s=100 / run.cell.devices, accuracy=0.9 + 0.001 * (run.seed % 3))
    paths.result.write_text(result.model_dump_json(indent=1) + "\n")
    for rank in range(run.processes):
        own = random.Random(f"{run.id} {rank}")
        paths.events(rank).write_text(event_lines(run, rank, result, own))


def make(folder: Path, count: int) -> StudyPaths:
    """Write the whole study below ``folder/large``."""
    paths = StudyPaths(folder / "large")
    runs = runs_of(count)
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(write_run, paths.results), runs, chunksize=50))
    paths.study.write_text(Study(name="large", runs=runs, accuracy_margin=0.01).model_dump_json() + "\n")
    return paths


def measure(paths: StudyPaths) -> dict[str, float]:
    """Analyze in a process of its own: seconds, and bytes of the largest process and of all together."""
    begin = time.perf_counter()
    command = [sys.executable, __file__, "--analyze", str(paths.results)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {"time_s": time.perf_counter() - begin, **json.loads(done.stdout.splitlines()[-1])}


def analyze_here(results: Path) -> None:
    """What the measured process does."""
    from scalestudy.analysis.analyze import analyze

    analyze(results)
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    own, children = (one.ru_maxrss * 1024 for one in usage)
    cpu_s = sum(one.ru_utime + one.ru_stime for one in usage)
    print(json.dumps({"main_bytes": own, "reader_bytes": children, "cpu_s": cpu_s}))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="where to make the study (default: a temporary folder)")
    parser.add_argument("--analyze", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.analyze:
        analyze_here(arguments.analyze)
        return 0
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < CORES:
        print(f"found {len(cores)} core, the bar is for {CORES}", file=sys.stderr)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="large-study-", dir=arguments.folder))
    try:
        paths = make(folder, arguments.runs)
        count = len(list(paths.results.glob("runs/*/*/*/*")))
        os.sched_setaffinity(0, cores[:CORES])  # after the study was made, and before the measured processes start
        print(f"{count} runs on {CORES} cores, bar {BAR_S:g} s and {BAR_BYTES / 1e9:g} GB")
        kept = [report("all runs new", measure(paths)), report("nothing new", measure(paths))]
        changed = next(paths.results.glob("runs/*/*/ddp-8x8/seed0/result.json"))
        changed.write_text(changed.read_text().replace('"resumed": 0', '"resumed": 1'))
        kept.append(report("one run new", measure(paths)))
    finally:
        shutil.rmtree(folder)
    return 0 if all(kept) else 1


def report(name: str, measured: dict[str, float]) -> bool:
    """Print one line; whether time and memory keep the bar."""
    together = measured["main_bytes"] + CORES * measured["reader_bytes"]
    parts = f"main {measured['main_bytes'] / 1e6:.0f}, readers {CORES} x {measured['reader_bytes'] / 1e6:.0f}"
    memory = f"{together / 1e6:5.0f} MB ({parts})"
    keeps = measured["time_s"] <= BAR_S and together <= BAR_BYTES
    verdict = "" if keeps else "   MISSES THE BAR"
    print(f"{name:14} {measured['time_s']:6.1f} s, {measured['cpu_s']:6.1f} s of CPU   {memory}{verdict}", flush=True)
    return keeps


if __name__ == "__main__":
    sys.exit(main())

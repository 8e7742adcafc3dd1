"""Makes a whole results folder with exactly known numbers, through the real record models.

Nothing in it was measured: it is for tests and for looking at the report. With ``noise=0`` every number is exact; with
noise, the factors of the seeds of a cell lie symmetrically around 1, so that medians over runs still are the true ones.

    python tests/synthetic_study.py FOLDER      # FOLDER/quick, as `results/quick` would be
"""

import json
import random
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Literal

from scalestudy.records.events import GRAMMAR, OPTIONAL, SCHEMA_VERSION
from scalestudy.records.files import read_model, write_model
from scalestudy.records.parity import Parity, ParityRow
from scalestudy.records.paths import RunPaths, StudyPaths
from scalestudy.records.provenance import Provenance
from scalestudy.records.result import CommunicationCost, DevicePhases, Epoch, LayerRow, Result, Startup
from scalestudy.spec.config import ReportSpec
from scalestudy.spec.run import Cell, Run, Study
from scalestudy.spec.workload import DataSpec, ModelSpec, OptimizerSpec, Workload

Failure = Literal["failed", "missing", "truncated", "empty", "foreign_digest", "foreign_rank_lines"]

STRATEGIES: dict[str, tuple[str, ...]] = {
    "data_parallel": ("1x2", "1x4"),
    "ddp": ("1x2", "1x4", "2x4"),
    "hybrid": ("2x2", "2x4"),
    "hsdp": ("1x4", "2x4"),
}
SERIAL_SHARE = {"serial": 0.0, "data_parallel": 0.06, "ddp": 0.02, "hybrid": 0.03, "hsdp": 0.05}
"""Of Amdahl's law, which gives the speedup of a cell that ``speedups`` does not name."""
IMPLEMENTATIONS = {
    "serial": "scalestudy serial loop",
    "data_parallel": "threads in one process (shared-memory twin of nn.DataParallel)",
    "ddp": "torch.nn.parallel.DistributedDataParallel (gloo)",
    "hybrid": "threads in one process per node, gradients all-reduced between nodes (gloo)",
    "hsdp": "torch.distributed.fsdp.fully_shard (gloo)",
}
ACCURACY = 0.9
STARTUP = Startup(launch_s=2.5, data_s=0.25, build_s=0.75, warm_up_s=0.5)
EVALUATION_S = 0.125


def base_time_s(workload: int) -> float:
    """The true epoch time of the serial cell of the n-th workload."""
    return 8.0 * (workload + 1)


def true_speedup(strategy: str, devices: int, speedups: Mapping[tuple[str, str], float], layout: str) -> float:
    """The speedup that the synthetic times hold: as given, or by Amdahl's law with the strategy's serial share."""
    if strategy == "serial":
        return 1.0
    return speedups.get((strategy, layout), devices / (1 + SERIAL_SHARE.get(strategy, 0.02) * (devices - 1)))


def workload_of(index: int, epochs: int, batch_size: int = 64) -> Workload:
    """Workloads in turn: the MNIST CNN on a Fashion-MNIST subset, the CIFAR CNN on synthetic images."""
    first = index % 2 == 0
    return Workload(
        data=DataSpec(name="fashion_mnist_subset")
        if first
        else DataSpec(name="synthetic", options={"train": 6400, "test": 1000}),
        model=ModelSpec(name="mnist_cnn" if first else "cifar_cnn"),
        optimizer=OptimizerSpec(name="adam" if first else "sgd", lr=0.01, momentum=0.0 if first else 0.9),
        batch_size=batch_size,
        epochs=epochs,
        weak_samples=1600,
    )


def workload_name(index: int) -> str:
    """``mnist``, ``cifar``, ``mnist2``, ``cifar2``, ..."""
    return ("mnist", "cifar")[index % 2] + (str(index // 2 + 1) if index > 1 else "")


def make_study(
    folder: Path,
    *,
    workloads: int = 2,
    scalings: Sequence[Literal["strong", "epoch", "weak"]] = ("epoch",),
    strategies: Mapping[str, Sequence[str]] = STRATEGIES,
    options: Mapping[str, tuple[str, Mapping[str, object]]] = {},
    ran: Mapping[str, str] = {},
    costs_s: Mapping[str, float] = {},
    seeds: Sequence[int] = (0, 1, 2),
    epochs: int = 6,
    speedups: Mapping[tuple[str, str], float] = {},
    accuracies: Mapping[str, float] = {},
    noise: float = 0.01,
    failures: Mapping[str, Failure] = {},
    resumed: Mapping[str, int] = {},
    foreign_load: Mapping[str, float] = {},
    base: bool = True,
    phases: bool = True,
    oversubscribed_above: int | None = None,
    parity: Literal["passed", "absent", "truncated"] | Iterable[str] = "passed",
    skipped: Sequence[str] = (),
    notes: Sequence[str] = (),
    words: ReportSpec = ReportSpec(),  # noqa: B008
    device: Literal["cpu", "cuda"] = "cpu",
    commit: str = "4f2c9e1d5b6a",
    name: str = "quick",
) -> StudyPaths:
    """Write study.json, every run's run.json, result.json and ranks/, and parity.json below ``folder/name``.

    ``strategies`` maps a strategy (without serial, see ``base``) to its layouts. ``options`` says of a name among them
    which strategy it is, with which options: as a label, unless it is the strategy's own name. ``ran`` gives what the
    runs of a name recorded that they ran, ``costs_s`` their cost of communication. ``speedups`` gives the true speedup
    of (strategy, layout); ``accuracies`` the true accuracy of a strategy (else 0.9). ``failures``, ``resumed`` and
    ``foreign_load`` name runs by id, ``WORKLOAD/SCALING/STRATEGY-NxD/seedK``. ``noise`` is the standard deviation
    of times over seeds, relative; accuracies vary by a tenth of it. ``parity`` is passed, absent, truncated, or the
    strategies that fail it. Under weak scaling, a speedup is the scaled one.
    """
    paths = StudyPaths(folder / name)
    runs: list[Run] = []
    for index in range(workloads):
        shared_base = next((scaling for scaling in scalings if scaling != "weak"), None)
        for scaling in scalings:
            layouts = {strategy: tuple(names) for strategy, names in strategies.items()}
            if base and (scaling == "weak" or scaling == shared_base):
                layouts = {"serial": ("1x1",), **layouts}
            for strategy, names in layouts.items():
                for layout in names:
                    nodes, per_node = (int(part) for part in layout.split("x"))
                    kind, settings = options.get(strategy, (strategy, {}))
                    cell = Cell(
                        workload=workload_name(index),
                        scaling=scaling,
                        strategy=kind,
                        label="" if kind == strategy else strategy,
                        nodes=nodes,
                        devices_per_node=per_node,
                    )
                    runs += [
                        Run(
                            study=name,
                            cell=cell,
                            seed=seed,
                            workload=workload_of(index, epochs),
                            strategy_options=dict(settings),
                            device=device,
                            cores_per_device=1,
                            oversubscribed=oversubscribed_above is not None and cell.devices > oversubscribed_above,
                            data_folder=f"data/prepared/{workload_name(index)}",
                        )
                        for seed in seeds
                    ]
    without = {"skipped": list(skipped), "notes": list(notes)}
    write_model(paths.study, Study(name=name, runs=runs, accuracy_margin=0.01, report=words, **without))
    names = [workload_name(index) for index in range(workloads)]
    for run in runs:
        index = names.index(run.cell.workload)
        speedup = true_speedup(run.cell.variant, run.cell.devices, speedups, run.cell.layout)
        time_s = base_time_s(index) / speedup * (run.cell.devices if run.cell.scaling == "weak" else 1)
        spread = _spread(run.cell.id, len(seeds))[list(seeds).index(run.seed)]
        result = result_of(
            run,
            time_s=time_s * (1 + noise * spread),
            compute_s=base_time_s(index) / (1 if run.cell.scaling == "weak" else run.cell.devices),
            accuracy=accuracies.get(run.cell.variant, ACCURACY) + 0.1 * noise * spread,
            noise=noise,
            phases=phases,
            resumed=resumed.get(run.id, 0),
            foreign_load=foreign_load.get(run.id, 0.004),
            commit=commit,
        )
        changes: dict[str, object] = {}
        if run.cell.variant in ran:
            changes["implementation"] = ran[run.cell.variant]
        if run.cell.variant in costs_s:
            with_s = [0.1 + costs_s[run.cell.variant]] * 4
            changes["communication_cost"] = CommunicationCost(without="nothing", with_s=with_s, without_s=[0.1] * 4)
        write_run(RunPaths.of(paths.results, run), run, result.model_copy(update=changes), failures.get(run.id))
    if parity == "truncated":
        paths.parity.write_text('{"schema_version": 1, "rows": [{"workload"')
    elif parity != "absent":
        failed = () if parity == "passed" else tuple(parity)
        write_model(paths.parity, Parity(rows=parity_rows(names, strategies, failed)))
    return paths


def result_of(
    run: Run,
    *,
    time_s: float,
    compute_s: float,
    accuracy: float,
    noise: float = 0.0,
    phases: bool = True,
    resumed: int = 0,
    foreign_load: float | None = 0.004,
    commit: str = "4f2c9e1d5b6a",
) -> Result:
    """A completed run whose median timed epoch is ``time_s``."""
    cell, workload = run.cell, run.workload
    images = run.train_samples or {"fashion_mnist_subset": 6000, "synthetic": 6400}[workload.data.name]
    steps = -(-images // run.global_batch)
    timed = workload.epochs - workload.untimed_epochs
    jitter = [1.3] * workload.untimed_epochs + [1 + 0.2 * noise * factor for factor in _spread(run.id, timed)]
    epochs = [
        Epoch(
            epoch=number,
            timed=number >= workload.untimed_epochs,
            train_loss=2.0 * 0.6**number * (1 + 0.01 * run.seed) + 0.1,
            test_loss=2.0 * 0.65**number + 0.2,
            test_accuracy=accuracy - 0.3 * 0.5**number + 0.3 * 0.5 ** (workload.epochs - 1),
            time_s=time_s * jitter[number],
            evaluation_s=EVALUATION_S,
            images=images,
            steps=steps,
            foreign_load=foreign_load,
            parts=2 if resumed and number == 1 else 1,
        )
        for number in range(workload.epochs)
    ]
    trained = sum(epoch.time_s for epoch in epochs)
    startup_s = STARTUP.launch_s + STARTUP.data_s + STARTUP.build_s + STARTUP.warm_up_s
    hosts = [f"node{node:02d}" for node in range(1, cell.nodes + 1)]
    return Result(
        run_id=run.id,
        run_digest=run.digest,
        outcome="completed",
        implementation=IMPLEMENTATIONS[cell.strategy],
        epochs=epochs,
        phases=[
            _phases(run, device, timed * steps, timed * time_s, timed * compute_s) for device in range(cell.devices)
        ]
        if phases
        else [],
        startup=STARTUP,
        total_s=startup_s + trained + EVALUATION_S * workload.epochs,
        images_per_s=images / time_s,
        peak_memory_bytes=600_000_000,
        parameters=421_642,
        gradient_bytes=1_686_568,
        layers=[
            LayerRow(name="conv", kind="Conv2d", output_shape=[32, 26, 26], parameters=320),
            LayerRow(name="relu", kind="ReLU", output_shape=[32, 26, 26], parameters=0),
            LayerRow(name="out", kind="Linear", output_shape=[10], parameters=421_322),
        ],
        weights_sha256=f"{run.seed:064x}",
        resumed=resumed,
        provenance=Provenance(
            hosts=hosts,
            processor="Synthetic CPU (nothing was measured)" if run.device == "cpu" else "Synthetic host CPU",
            cores=16,
            memory_bytes=64 * 2**30,
            accelerators=[] if run.device == "cpu" else ["Synthetic GPU"] * cell.devices_per_node,
            os="Debian GNU/Linux 13",
            kernel="6.12.0",
            python="3.11.9",
            torch="2.13.0",
            backend="gloo" if run.processes > 1 else "",
            threads_per_rank=1,
            pinned=[[device] for device in range(cell.devices_per_node)],
            malloc_tuned=True,
            version="0.1.0",
            commit=commit,
            data_sha256="ab" * 32,
            data_title="Fashion-MNIST, subset" if workload.data.name == "fashion_mnist_subset" else "Synthetic",
            data_synthetic=workload.data.name == "synthetic",
            started=f"2026-11-22T10:{run.seed % 60:02d}:00+00:00",
        ),
    )


def _phases(run: Run, device: int, steps: int, time_s: float, compute_s: float) -> DevicePhases:
    """Forward : backward : optimizer as 30 : 60 : 8 of the computation, 2 % data; what exceeds it is communication
    (80 %) and waiting (20 %)."""
    compute_s = min(compute_s, time_s)
    lost_s = time_s - compute_s
    return DevicePhases(
        device=device,
        steps=steps,
        time_s=time_s,
        data=0.02 * compute_s,
        host_to_device=None if run.device == "cpu" else 0.0,
        forward=0.30 * compute_s,
        backward=0.60 * compute_s,
        optimizer=0.08 * compute_s,
        communication=None if run.cell.strategy == "serial" else 0.8 * lost_s,
        waiting=None if run.cell.strategy == "serial" else 0.2 * lost_s,
        other=lost_s if run.cell.strategy == "serial" else 0.0,
    )


def write_run(paths: RunPaths, run: Run, result: Result, failure: Failure | None = None) -> None:
    """Write the folder of a run as the trainer would, or damaged in the way that ``failure`` names."""
    write_model(paths.run, run)
    if failure == "missing":
        return
    if failure == "failed":
        result = Result(
            run_id=run.id,
            run_digest=run.digest,
            outcome="failed",
            error="rank 1 on node02: out of memory",
            provenance=result.provenance,
        )
    if failure == "foreign_digest":
        result = result.model_copy(update={"run_digest": "0" * 16})
    write_model(paths.result, result)
    for rank in range(run.processes):
        _write_events(paths, run, rank, result)
    if failure == "truncated":
        content = paths.result.read_bytes()
        paths.result.write_bytes(content[: len(content) // 2])
    elif failure == "empty":
        paths.result.write_bytes(b"")
    elif failure == "foreign_rank_lines":
        with paths.events(0).open("a") as stream:
            stream.write('slurmstepd: error: not an event\n{"event": "epoch", "epoch": 1}\n')


def _write_events(paths: RunPaths, run: Run, rank: int, result: Result) -> None:
    paths.ranks.mkdir(parents=True, exist_ok=True)
    paths.events(rank).write_text(event_lines(run, rank, result))


def rewrite(paths: RunPaths, result: Result) -> None:
    """Write another result of a run, and the rank files of such a run."""
    run = read_model(paths.run, Run)
    write_model(paths.result, result)
    for rank in range(run.processes):
        _write_events(paths, run, rank, result)


def event_lines(run: Run, rank: int, result: Result, own: random.Random | None = None) -> str:
    """A rank's lines as EventLog writes them, at the times that such a run would have had.

    With ``own`` the rank is one of a real run: checkpoints between its epochs, and a process, a host named in letters
    and times that no other rank has.
    """
    now = 1_795_000_000.0
    lines = []

    def late(scale_s: float) -> float:
        return own.expovariate(1 / scale_s) if own else 0.0

    def write(event: str, **values: object) -> None:
        assert values.keys() - OPTIONAL.get(event, frozenset()) == GRAMMAR[event]
        lines.append(json.dumps({"event": event, "time": round(now, 6), **values}) + "\n")

    host, pid = "node01", 1000 + rank
    if own:
        node = rank * run.cell.nodes // run.processes
        host, pid = f"{('alder', 'birch', 'cedar', 'dogwood')[node % 4]}-n{node:02d}", own.randrange(300, 4_000_000)
        now += own.randrange(10**6) + own.random()
    mine = {"run": run.id, "digest": run.digest, "rank": rank, "ranks": run.processes}
    write("start", **mine, host=host, pid=pid, schema_version=SCHEMA_VERSION)
    if result.outcome == "failed":
        write("error", message=result.error)
    now += 4 + late(0.1)
    for epoch in result.epochs:
        faster_s = min(0.5 * epoch.time_s, late(0.001))
        time_s = epoch.time_s - (0.0 if rank == epoch.epoch % run.processes else faster_s)  # one is the slowest
        now += epoch.time_s + late(0.001)
        write("epoch", epoch=epoch.epoch, train_loss=epoch.train_loss, time_s=time_s)
        now += epoch.evaluation_s + late(0.001)
        write("evaluation", epoch=epoch.epoch, test_loss=epoch.test_loss, test_accuracy=epoch.test_accuracy)
        if own and epoch is not result.epochs[-1]:
            now += late(0.05)
            write("checkpoint", epoch=epoch.epoch + 1, step=0)
    if result.outcome == "completed":
        now += late(0.01)
        write("end", total_s=result.total_s + late(0.01))
    return "".join(lines)


def parity_rows(
    workloads: Sequence[str], strategies: Mapping[str, Sequence[str]], failed: Sequence[str]
) -> list[ParityRow]:
    """Each strategy at its first layout against the shards, with even and uneven shares."""
    shares: tuple[Literal["even", "uneven"], ...] = ("even", "uneven")
    rows = []
    for workload in workloads:
        for strategy, layouts in strategies.items():
            nodes, per_node = (int(part) for part in layouts[0].split("x"))
            for share in shares:
                wrong = strategy in failed
                rows.append(
                    ParityRow(
                        workload=workload,
                        strategy=strategy,
                        nodes=nodes,
                        devices=nodes * per_node,
                        reference="shards",
                        shares=share,
                        implementation=IMPLEMENTATIONS.get(strategy, ""),
                        steps=10,
                        gradient_error=1e-3 if wrong else 2e-16,
                        parameter_error=2e-2 if wrong else 3e-15,
                        passed=not wrong,
                    )
                )
    return rows


def _spread(key: str, n: int) -> list[float]:
    """Normal scores, symmetric around 0 (their median is 0), in an order that the key decides."""
    scores = [NormalDist().inv_cdf((position + 0.5) / n) for position in range(n)]
    scores = [(score - mirrored) / 2 for score, mirrored in zip(scores, reversed(scores), strict=True)]
    random.Random(key).shuffle(scores)
    return scores


if __name__ == "__main__":
    target = Path(sys.argv[1])
    made = make_study(
        target,
        scalings=("epoch", "weak"),
        accuracies={"hybrid": 0.896},
        failures={"cifar/epoch/ddp-2x4/seed1": "failed"},
        resumed={"mnist/epoch/ddp-1x2/seed0": 1},
        foreign_load={"mnist/epoch/hsdp-1x4/seed2": 0.12},
        skipped=["mnist/epoch/ddp-4x4: the machine has 2 nodes"],
        words=ReportSpec(
            title="Data-parallel training of two CNNs",
            subtitle="Synthetic numbers: nothing here was measured",
            authors=["A. Student", "B. Student"],
            course="Parallel Computing",
        ),
    )
    print(made.results)

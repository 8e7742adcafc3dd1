"""Hand-built report data of any shape: fixtures for reports with odd contents. No number in it was measured."""

import math
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from report_findings import with_findings

from scalestudy.records.parity import ParityRow
from scalestudy.records.report import (
    AccuracyRow,
    Counts,
    CurveRow,
    EnvironmentRow,
    Headline,
    PhaseRow,
    ReportData,
    Rule,
    RunRow,
    Sentence,
    SpeedupRow,
    StrategyRow,
    WorkloadFacts,
)
from scalestudy.records.result import LayerRow
from scalestudy.spec.catalog import STRATEGIES
from scalestudy.spec.config import ReportSpec

LAPTOP = {"serial": ["1x1"], "data_parallel": ["1x2"], "ddp": ["1x2"], "hybrid": ["2x1"], "hsdp": ["1x2", "2x1"]}
CLUSTER = {
    "serial": ["1x1"],
    "data_parallel": ["1x2", "1x4"],
    "ddp": ["1x2", "1x4", "2x4", "4x4"],
    "hybrid": ["2x2", "2x4", "4x4"],
    "hsdp": ["1x4", "2x4", "4x4"],
}
OVERHEAD = {"serial": 0.0, "data_parallel": 0.035, "ddp": 0.02, "hybrid": 0.05, "hsdp": 0.08}
"""Share of the base's epoch that every further device adds in this made-up world."""
WORKLOADS = ("mnist", "cifar", "fashion", "synthetic")
_EPOCH_S = {"mnist": 6.3418, "cifar": 30.6642, "fashion": 0.8125, "synthetic": 0.0153}
_TITLES = {
    "mnist": "Fashion-MNIST, MNIST CNN",
    "cifar": "CIFAR-shaped, CIFAR CNN",
    "fashion": "Fashion-MNIST (whole), MNIST CNN",
    "synthetic": "Synthetic, tiny network",
}


@dataclass
class Shape:
    """What the made-up study is made of."""

    workloads: tuple[str, ...] = WORKLOADS[:2]
    scalings: tuple[str, ...] = ("epoch",)
    layouts: dict[str, list[str]] = field(default_factory=lambda: dict(LAPTOP))
    seeds: int = 3
    epochs: int = 6
    device_name: str = "CPU core"
    failed: frozenset[str] = frozenset()
    """Beginnings of the ids of runs that failed."""
    title: str = "Data-parallel training of small networks"
    words: dict[str, Any] = field(default_factory=dict)


def _jitter(*key: object) -> float:
    """A number between -1 and 1 that depends on the key alone."""
    return math.sin(sum((index + 1) * ord(letter) for index, letter in enumerate(repr(key))))


def _parse(layout: str) -> tuple[int, int]:
    nodes, per_node = (int(part) for part in layout.split("x"))
    return nodes, nodes * per_node


def _runs(shape: Shape) -> list[RunRow]:
    rows = []
    for workload in shape.workloads:
        for scaling in shape.scalings:
            for strategy, layouts in shape.layouts.items():
                for layout in layouts:
                    rows += [_run(shape, workload, scaling, strategy, layout, seed) for seed in range(shape.seeds)]
    return rows


def _run(shape: Shape, workload: str, scaling: str, strategy: str, layout: str, seed: int) -> RunRow:
    nodes, devices = _parse(layout)
    name = f"{workload}/{scaling}/{strategy}-{layout}/seed{seed}"
    cell: dict[str, Any] = {"run": name, "workload": workload, "scaling": scaling, "strategy": strategy}
    cell |= {"nodes": nodes, "devices": devices, "seed": seed}
    if any(name.startswith(start) for start in shape.failed):
        return RunRow(**cell, outcome="failed", reason="RuntimeError: out of memory (tried to allocate 2.00 GiB)")
    share = (1 if scaling == "weak" else 1 / devices) + OVERHEAD[strategy] * math.log2(2 * devices) * (devices > 1)
    time_s = _EPOCH_S[workload] * share * (1 + 0.012 * _jitter(name))
    return RunRow(
        **cell,
        outcome="completed",
        epoch_time_s=time_s,
        startup_s=3.2 + devices / 10,
        total_s=time_s * shape.epochs + 4,
        images_per_s=6000 / time_s * (devices if scaling == "weak" else 1),
        train_loss=0.31,
        accuracy=0.88 + 0.004 * _jitter(name, "accuracy"),
        peak_memory_bytes=512 * 2**20,
        foreign_load=0.01,
        implementation=f"scalestudy.{strategy}",
        host="n1",
        commit="4f2c9e1",
        weights_sha256=f"{abs(hash_of(name)):064x}"[-64:],
    )


def hash_of(text: str) -> int:
    """A number that looks like a digest."""
    return int.from_bytes(text.encode() * 4, "big") % 2**255


def _cells(runs: list[RunRow]) -> dict[tuple[str, str, str, int, int], list[RunRow]]:
    cells: dict[tuple[str, str, str, int, int], list[RunRow]] = {}
    for run in runs:
        cells.setdefault((run.workload, run.scaling, run.strategy, run.nodes, run.devices), []).append(run)
    return cells


def _times(runs: list[RunRow]) -> list[float]:
    return sorted(run.epoch_time_s for run in runs if run.epoch_time_s is not None)


def _speedup(runs: list[RunRow]) -> list[SpeedupRow]:
    cells = _cells(runs)
    medians = {key: times[len(times) // 2] for key, members in cells.items() if (times := _times(members))}
    rows = []
    for key, members in cells.items():
        workload, scaling, strategy, nodes, devices = key
        time_s, base = medians.get(key), medians.get((workload, scaling, "serial", 1, 1))
        many = len(_times(members)) > 1
        factor = devices if scaling == "weak" else 1
        speedup = base / time_s * factor if time_s and base else None
        parallel = strategy != "serial"
        others = [value for other, value in medians.items() if other[:2] == key[:2]]
        note = "" if speedup else ("no run completed" if time_s is None else "no serial base")
        rows.append(
            SpeedupRow(
                workload=workload,
                scaling=scaling,
                strategy=strategy,
                nodes=nodes,
                devices=devices,
                n=len(_times(members)),
                time_s=time_s,
                time_low_s=time_s * 0.991 if many and time_s else None,
                time_high_s=time_s * 1.013 if many and time_s else None,
                speedup=speedup,
                speedup_low=speedup * 0.978 if speedup and many and parallel else None,
                speedup_high=speedup * 1.021 if speedup and many and parallel else None,
                efficiency=speedup / devices if speedup else None,
                images_per_s=6000 / time_s * factor if time_s else None,
                accuracy=0.88 if time_s else None,
                base_time_s=base,
                end_to_end_speedup=speedup * 0.8 if speedup else None,
                note=note,
                fastest=time_s is not None and time_s == min(others) and parallel,
            )
        )
    return rows


def _accuracy(runs: list[RunRow]) -> list[AccuracyRow]:
    rows = []
    for key, members in _cells(runs).items():
        done, base = _times(members), key[2] == "serial"
        difference = 0.006 * _jitter(key, "difference")
        known = bool(done) and not base
        width = 0.005 if len(done) > 1 else None
        shown = width is not None and abs(difference) + width < 0.01
        names = ("workload", "scaling", "strategy", "nodes", "devices")
        rows.append(
            AccuracyRow(
                **dict(zip(names, key, strict=True)),
                n=len(done),
                accuracy=0.88 + difference if done else None,
                accuracy_sd=0.0031 if len(done) > 1 else None,
                difference=difference if known else None,
                difference_low=difference - width if known and width else None,
                difference_high=difference + width if known and width else None,
                verdict=("baseline" if base else "equivalent" if shown else "not shown") if done else "not computed",
            )
        )
    return rows


def _phases(runs: list[RunRow]) -> list[PhaseRow]:
    rows = []
    for (workload, scaling, strategy, nodes, devices), members in _cells(runs).items():
        times = _times(members)
        if not times:
            continue
        base = _EPOCH_S[workload] * (devices if scaling == "weak" else 1)
        total = times[len(times) // 2] * devices
        lost = max(total - base, 0)
        rows.append(
            PhaseRow(
                workload=workload,
                scaling=scaling,
                strategy=strategy,
                nodes=nodes,
                devices=devices,
                n=len(times),
                total_s=total,
                data_s=0.03 * base,
                host_to_device_s=None,
                forward_s=0.33 * base,
                backward_s=0.55 * base,
                communication_s=lost * 0.7 if devices > 1 else 0.0,
                waiting_s=lost * 0.3 if devices > 1 else 0.0,
                optimizer_s=0.07 * base,
                other_s=0.02 * base,
                price=total / base,
            )
        )
    return rows


def _curves(shape: Shape, runs: list[RunRow]) -> list[CurveRow]:
    rows = []
    for key, members in _cells(runs).items():
        if not (done := _times(members)):
            continue
        loss = [1.8 * (epoch + 1) ** -0.6 * (1 + 0.05 * _jitter(key)) for epoch in range(shape.epochs)]
        spread = 0.04 if len(done) > 1 else 0.0
        low, high = [value * (1 - spread) for value in loss], [value * (1 + spread) for value in loss]
        names = ("workload", "scaling", "strategy", "nodes", "devices")
        cell: dict[str, Any] = dict(zip(names, key, strict=True))
        rows.append(CurveRow(**cell, n=len(done), train_loss=loss, low=low, high=high))
    return rows


def _parity(shape: Shape) -> list[ParityRow]:
    rows = []
    for workload in shape.workloads:
        for strategy, layouts in shape.layouts.items():
            nodes, devices = _parse(layouts[0])
            for shares in ("even", "uneven"):
                rows.append(
                    ParityRow(
                        workload=workload,
                        strategy=strategy,
                        nodes=nodes,
                        devices=devices,
                        reference="shards",
                        shares=shares,
                        implementation=f"scalestudy.{strategy}",
                        steps=10,
                        gradient_error=0.0 if strategy == "serial" else 3.1e-16,
                        parameter_error=2.2e-14,
                        passed=True,
                    )
                )
    return rows


def _layers(workload: str) -> list[LayerRow]:
    if workload in {"mnist", "fashion"}:
        return [
            LayerRow(name="convolution", kind="Conv2d", output_shape=[32, 26, 26], parameters=320),
            LayerRow(name="activation", kind="ReLU", output_shape=[32, 26, 26], parameters=0),
            LayerRow(name="flatten", kind="Flatten", output_shape=[21632], parameters=0),
            LayerRow(name="hidden", kind="Linear", output_shape=[128], parameters=2769024),
            LayerRow(name="classes", kind="Linear", output_shape=[10], parameters=1290),
        ]
    sizes = [(32, 16), (64, 8), (128, 4)]
    rows = []
    for index, (channels, side) in enumerate(sizes, start=1):
        before = 3 if index == 1 else sizes[index - 2][0]
        shape = [channels, side * 2, side * 2]
        name = f"block{index}"
        rows += [
            LayerRow(
                name=f"{name}.conv", kind="Conv2d", output_shape=shape, parameters=before * channels * 9 + channels
            ),
            LayerRow(name=f"{name}.norm", kind="BatchNorm2d", output_shape=shape, parameters=2 * channels),
            LayerRow(name=f"{name}.pool", kind="MaxPool2d", output_shape=[channels, side, side], parameters=0),
        ]
    return [*rows, LayerRow(name="hidden", kind="Linear", output_shape=[256], parameters=524544)]


def _workload(shape: Shape, name: str, speedup: list[SpeedupRow]) -> WorkloadFacts:
    layers = _layers(name)
    base = next((row for row in speedup if row.workload == name and row.strategy == "serial"), None)
    return WorkloadFacts(
        name=name,
        title=_TITLES[name],
        data_title=_TITLES[name].split(",")[0],
        data_synthetic=name in {"cifar", "synthetic"},
        model_title=_TITLES[name].rsplit(", ", maxsplit=1)[-1],
        parameters=sum(layer.parameters for layer in layers),
        gradient_bytes=4 * sum(layer.parameters for layer in layers),
        layers=layers,
        optimizer="Adam, learning rate 0.01",
        batch_size=64,
        epochs=shape.epochs,
        untimed_epochs=1,
        train_images=6000,
        augment="none",
        precision="float32",
        base_time_s=base.time_s if base else None,
        base_images_per_s=base.images_per_s if base else None,
    )


def _sentences(runs: list[RunRow], speedup: list[SpeedupRow]) -> list[Sentence]:
    done = sum(run.outcome == "completed" for run in runs)
    counts = f"Of {len(runs)} planned runs, {done} completed and {len(runs) - done} did not."
    sentences = [
        Sentence(rule="R1", section="abstract", text=counts),
        Sentence(rule="R1", section="setup", text=counts),
    ]
    for row in speedup:
        if not row.fastest or row.speedup is None or row.time_s is None:
            continue
        text = (
            f"The fastest configuration on {_TITLES[row.workload]} under {row.scaling} scaling is "
            f"{STRATEGIES[row.strategy].title} on {row.devices} devices: an epoch takes {row.time_s:.2f} s, a speedup "
            f"of **{row.speedup:.2f}×** at {row.efficiency:.0%} efficiency."
        )
        sentences += [Sentence(rule="R2", section=part, text=text) for part in ("abstract", "performance")]
        text = (
            f"On {_TITLES[row.workload]} exposed communication takes **17 %** of the device time of the fastest cell."
        )
        sentences.append(Sentence(rule="R6", section="challenges", text=text))
        text = f"On {_TITLES[row.workload]} the differences to the serial base stay within one percentage point."
        sentences.append(Sentence(rule="R7", section="accuracy", text=text))
        text = f"On {_TITLES[row.workload]} the shortest epoch is that of {STRATEGIES[row.strategy].title}."
        sentences.append(Sentence(rule="R10", section="discussion", text=text))
    return sentences


def _headlines(speedup: list[SpeedupRow]) -> list[Headline]:
    return [
        Headline(
            label=f"{_TITLES[row.workload]}, fastest",
            value=f"{row.speedup:.2f}×",
            interval=f"95 % interval {row.speedup_low:.2f} to {row.speedup_high:.2f}"
            if row.speedup_low and row.speedup_high
            else "n = 1, no interval",
            detail=f"{STRATEGIES[row.strategy].title}, {row.devices} devices",
        )
        for row in speedup
        if row.fastest and row.speedup
    ][:4]


def build(shape: Shape) -> ReportData:
    """Made-up report data of this shape, consistent in itself."""
    runs = _runs(shape)
    speedup = _speedup(runs)
    done = sum(run.outcome == "completed" for run in runs)
    words = {
        "title": shape.title,
        "authors": ["A. Student", "B. Student"],
        "course": "Parallel Computing",
    } | shape.words
    return ReportData(
        study="made_up",
        words=ReportSpec(**words),
        date="2026-11-22",
        commit="4f2c9e1d1c8bb0b4",
        data_sha256="65d31b89ae76099041b244b5a59dfdc75f8353a0abf84c8f3513d89933bb3e64",
        device_name=shape.device_name,
        device_plural=f"{shape.device_name}s",
        accuracy_margin=0.01,
        counts=Counts(
            planned=len(runs),
            completed=done,
            failed=len(runs) - done,
            missing=0,
            resumed=0,
            oversubscribed=0,
            loaded=0,
            total_s=sum(row.total_s or 0.0 for row in runs),
        ),
        strategies=[
            StrategyRow(
                name=name,
                title=STRATEGIES[name].title,
                replicated=STRATEGIES[name].replicated,
                exchanged=STRATEGIES[name].exchanged,
                implementations=[f"torch.nn.parallel.{name} (gloo)"],
            )
            for name in shape.layouts
        ],
        workloads=[_workload(shape, name, speedup) for name in shape.workloads],
        speedup=speedup,
        accuracy=_accuracy(runs),
        phases=_phases(runs),
        curves=_curves(shape, runs),
        parity=_parity(shape),
        runs=runs,
        environment=[
            EnvironmentRow(item="Host", value="n1"),
            EnvironmentRow(item="Processor", value="Example CPU at 2.0 GHz, 2 cores"),
            EnvironmentRow(item="PyTorch", value="2.15.0"),
        ],
        headlines=_headlines(speedup),
        sentences=_sentences(runs, speedup),
        rules=[
            Rule(rule="R1", states="planned, completed and failed runs", condition="always"),
            Rule(rule="R2", states="fastest configuration with its interval", condition="at least one parallel cell"),
        ],
        problems=[],
    )


def laptop() -> ReportData:
    """The common shape: two workloads, five strategies, up to two cores, three seeds."""
    return build(Shape())


def cluster() -> ReportData:
    """Four workloads, three scalings, five strategies, up to 16 GPUs, some runs failed."""
    return build(
        Shape(
            workloads=WORKLOADS,
            scalings=("strong", "epoch", "weak"),
            layouts=dict(CLUSTER),
            seeds=5,
            epochs=12,
            device_name="GPU",
            failed=frozenset({"mnist/strong/hybrid-2x4", "cifar/weak/ddp-4x4/seed1"}),
        )
    )


def whole() -> ReportData:
    """A cluster of up to 16 GPUs, two workloads, with every table and figure that a report can have."""
    words = {"published": [{"source": "the course report", "speedups": [1.89, 2.18]}]}
    data = build(Shape(scalings=("strong", "weak"), layouts=dict(CLUSTER), seeds=5, device_name="GPU", words=words))
    return with_findings(data)


def many_panels() -> ReportData:
    """Four workloads and three scalings with few cells each, one of them without a completed run."""
    layouts = {"serial": ["1x1"], "ddp": ["1x2", "2x2"], "hybrid": ["2x2"]}
    failed = frozenset({"mnist/strong/hybrid-2x2"})
    return build(Shape(WORKLOADS, ("strong", "epoch", "weak"), layouts, seeds=2, epochs=3, failed=failed))


def single() -> ReportData:
    """One workload, one seed: no intervals."""
    return build(Shape(workloads=("mnist",), layouts={"serial": ["1x1"], "ddp": ["1x2"]}, seeds=1, epochs=1))


def nothing_completed() -> ReportData:
    """Every run failed."""
    shape = Shape(failed=frozenset(WORKLOADS))
    return build(shape).model_copy(update={"date": "", "curves": [], "parity": [], "environment": [], "sentences": []})


def without_base() -> ReportData:
    """No serial cell at all."""
    layouts = {name: value for name, value in LAPTOP.items() if name != "serial"}
    return build(Shape(layouts=layouts))


def broad(seeds: int = 7) -> ReportData:
    """Four workloads, three scalings, five strategies up to 16 GPUs: 156 cells, with seven seeds 1,092 runs."""
    return build(
        Shape(WORKLOADS, ("strong", "epoch", "weak"), dict(CLUSTER), seeds=seeds, epochs=12, device_name="GPU")
    )


HOSTILE = (
    '#eval("1+1")',
    "*bold* _it_",
    "$x^2$",
    "@ref <b> &amp; ]]>",
    r"back\slash \u{41}",
    "\"quote\" 'single' `code`",
    "// comment /* x */",
    "= heading",
    "#import sys",
    "W" * 150,
    "Ünïcödé Ελλάς Дом",
    "שלום مرحبا",
    "rocket 🚀 日本",
    "**half",
)
"""Texts that must be printed as they are (the rocket and the CJK letters as their code points)."""


def hostile(texts: tuple[str, ...] = HOSTILE) -> ReportData:
    """Every free-text field holds a text that would be code in Typst, matplotlib, HTML or a shell."""
    data = laptop()
    text = cycle(texts)

    def swap(model: Any, *names: str) -> Any:
        return model.model_copy(update={name: next(text) for name in names})

    return data.model_copy(
        update={
            "words": ReportSpec(
                title=" ".join(texts),
                subtitle=" ".join(texts),
                authors=list(texts),
                course=" ".join(texts),
                overview="\n\n".join(texts),
                discussion="\n".join(texts),
                conclusion=" ".join(texts),
                published=[{"source": value, "setting": value, "speedups": [1.5]} for value in texts],
            ),
            "workloads": [
                swap(row, "title", "data_title", "model_title", "optimizer", "augment") for row in data.workloads
            ],
            "strategies": [
                swap(row, "title", "replicated", "exchanged").model_copy(update={"implementations": list(texts)})
                for row in data.strategies
            ],
            "runs": [swap(row, "reason").model_copy(update={"outcome": "failed"}) for row in data.runs],
            "speedup": [swap(row, "note") for row in data.speedup],
            "environment": [EnvironmentRow(item=value, value=value) for value in texts],
            "headlines": [Headline(label=v, value=v[:12], interval=v, detail=v) for v in texts[:4]],
            "sentences": [
                Sentence(rule=f"R{index}", section=section, text=value)
                for index, value in enumerate(texts)
                for section in ("abstract", "setup", "performance", "accuracy", "challenges", "discussion")
            ],
            "rules": [Rule(rule=f"R{index}", states=v, condition=v) for index, v in enumerate(texts)],
            "parity": [row.model_copy(update={"error": next(text), "passed": False}) for row in data.parity],
            "problems": list(texts),
            "commit": texts[0],
            "device_name": texts[-1] if len(texts) == 1 else texts[1],
            "device_plural": texts[0],
            "image": texts[0],
        }
    )

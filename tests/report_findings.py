"""Made-up rows of everything that compares, judges and extrapolates, in step with a hand-built report."""

import math
from itertools import combinations

from scalestudy.records.findings import (
    BatchRow,
    ComparisonRow,
    ComplianceRow,
    EquivalenceRow,
    Exclusion,
    FitCurve,
    FitRow,
    MitigationRow,
    PredictionCurve,
    Refusal,
    RepeatRow,
    TargetRow,
    ValidationRow,
)
from scalestudy.records.report import (
    AllReduceRow,
    CeilingRow,
    CommunicationRow,
    EfficiencyRow,
    LinkRow,
    PhaseRow,
    ProbeFacts,
    ReportData,
    SpeedupRow,
    StrategyRow,
)

RULE_TITLES = (
    "the base and its absolute time",
    "the reason for every subset",
    "costs before rates",
    "means that suit the quantity",
    "variation of every measurement",
    "no assumption of normality unchecked",
    "comparison with intervals",
    "medians or quantiles where means mislead",
    "everything that was varied and fixed",
    "synchronization and summary over processes",
    "bounds of the performance",
    "plots with as much as they can hold",
)


def with_findings(data: ReportData) -> ReportData:
    """The report with every table filled."""
    parallel = [row for row in data.speedup if row.strategy != "serial" and row.speedup]
    return data.model_copy(
        update={
            "speedup": [_with_mean(_with_ceiling(_with_end_to_end(row))) for row in data.speedup],
            "phases": [_with_price(row) for row in data.phases],
            "equivalence": [_equivalence(row) for row in parallel],
            "epochs_to_target": _batches(data),
            "repeats": [_repeats(row) for row in data.speedup if row.time_s],
            "comparisons": _comparisons(parallel),
            "mitigations": _mitigations(parallel),
            "strategies": [*data.strategies, *_labeled(data)],
            "communication": [_communication(row) for row in parallel],
            "efficiencies": [_efficiency(row) for row in parallel],
            "probe": _probe(data),
            "targets": [_target(row) for row in data.speedup if row.time_s],
            "fits": _fits(parallel),
            "fit_curves": _fit_curves(parallel),
            "predictions": _predictions(parallel),
            "validation": _validation(parallel),
            "refusals": [
                Refusal(workload="mnist", scaling="weak", strategy="hsdp", reason="too few numbers of devices")
            ],
            "compliance": [
                ComplianceRow(
                    rule=number,
                    title=title,
                    satisfied="no" if number == 6 else "not applicable" if number == 4 else "yes",
                    evidence=f"{len(parallel)} cells were looked at; this sentence stands for the program's own.",
                )
                for number, title in enumerate(RULE_TITLES, start=1)
            ],
            "exclusions": [Exclusion(run=data.runs[0].run, excluded_from="end-to-end speedup", reason="resumed")],
        }
    )


def _labeled(data: ReportData) -> list[StrategyRow]:
    """A further entry of DDP, as a study with a pair would have it."""
    return [
        row.model_copy(
            update={
                "name": "ddp_fp16", "title": "DDP (ddp_fp16)", "strategy": "ddp", "options": {"compression": "fp16"},
                "implementations": ["torch.nn.parallel.DistributedDataParallel (gloo, fp16 compression)"],
            }
        )
        for row in data.strategies
        if row.name == "ddp"
    ]  # fmt: skip


def _mitigations(rows: list[SpeedupRow]) -> list[MitigationRow]:
    """What the entry would gain, and on the last layout why that is not known."""
    found = []
    for row in rows:
        if row.strategy != "ddp":
            continue
        several, ratio = row.nodes > 1, 1.0 - 0.04 * row.nodes
        found.append(
            MitigationRow(
                **_cell(row) | {"strategy": "ddp_fp16"}, n=5, other_strategy="ddp", other_n=row.n,
                options="compression: none → fp16" + "; communication: shared_memory → gloo" * (not several),
                differences=1 if several else 2, ratio=ratio, low=ratio * 0.97, high=ratio * 1.02,
                method="Welch", verdict="faster" if several else "not separated", exposed_change_s=-0.0024 * row.nodes,
                cost_change_s=-0.0031 * row.nodes, waiting_change_s=0.0002, data_change_s=None,
            )
        )  # fmt: skip
    nothing = {"ratio": None, "low": None, "high": None, "verdict": "not computed", "exposed_change_s": None}
    nothing |= {"cost_change_s": None, "waiting_change_s": None, "method": "", "n": 0}
    note = "ddp_fp16 has no time to compare: no completed run"
    return [*found[:-1], *(row.model_copy(update=nothing | {"note": note}) for row in found[-1:])]


def _cell(row: SpeedupRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in ("workload", "scaling", "strategy", "nodes", "devices")}


def _with_ceiling(row: SpeedupRow) -> SpeedupRow:
    if not row.speedup or row.devices == 1:
        return row
    ceiling = row.devices**0.97
    bounds = {"ceiling_speedup": ceiling, "ceiling_low": ceiling * 0.99, "ceiling_high": ceiling * 1.01}
    share = row.speedup / ceiling
    bounds |= {"of_ceiling": share, "of_ceiling_low": share * 0.96, "of_ceiling_high": share * 1.03}
    return row.model_copy(update=bounds)


def _with_end_to_end(row: SpeedupRow) -> SpeedupRow:
    if not row.end_to_end_speedup or row.strategy == "hsdp":  # too few runs for an interval
        return row
    ends = {"end_to_end_low": row.end_to_end_speedup * 0.95, "end_to_end_high": row.end_to_end_speedup * 1.06}
    return row.model_copy(update=ends)


def _with_price(row: PhaseRow) -> PhaseRow:
    if row.price is None:
        return row
    return row.model_copy(update={"price_low": row.price * 0.98, "price_high": row.price * 1.04})


def _with_mean(row: SpeedupRow) -> SpeedupRow:
    if not row.time_s:
        return row
    mean = row.time_s * 1.004
    values = {"mean_s": mean, "mean_low_s": mean * 0.987, "mean_high_s": mean * 1.013, "mean_method": "Student"}
    return row.model_copy(update=values)


def _equivalence(row: SpeedupRow) -> EquivalenceRow:
    return EquivalenceRow(
        **_cell(row), n=row.n, base_n=5, margin=0.01, difference=-0.0012 * row.nodes, low=-0.004, high=0.002,
        p_value=0.00002 if row.devices == 2 else 0.0123 * row.nodes, method="Welch", verdict="equivalent",
    )  # fmt: skip


def _batches(data: ReportData) -> list[BatchRow]:
    return [
        BatchRow(workload=facts.name, global_batch=batch, target=0.87, n=5, reached=reached,
                 epochs=3.5 if reached > 2 else None, epochs_low=3.0 if reached > 2 else None,
                 epochs_high=4.5 if reached > 2 else None)
        for facts in data.workloads
        for batch, reached in ((64, 5), (1024, 2))
    ]  # fmt: skip


def _repeats(row: SpeedupRow) -> RepeatRow:
    half = 0.0173 if row.devices < 16 else 0.0617
    return RepeatRow(
        **_cell(row),
        n=row.n,
        runs=row.n + 1,
        half_width=half,
        target=0.05,
        state="reached" if half < 0.05 else "at most",
    )


def _comparisons(rows: list[SpeedupRow]) -> list[ComparisonRow]:
    found = []
    for first, second in combinations(rows, 2):
        same = (first.workload, first.scaling, first.devices) == (second.workload, second.scaling, second.devices)
        if not same or first.strategy == second.strategy:
            continue
        ratio = (first.time_s or 1) / (second.time_s or 1)
        low, high = ratio * 0.97, ratio * 1.03
        verdict = "not separated" if low <= 1 <= high else "faster" if ratio < 1 else "slower"
        found.append(
            ComparisonRow(
                workload=first.workload, scaling=first.scaling, devices=first.devices, strategy=first.strategy,
                nodes=first.nodes, n=first.n, other_strategy=second.strategy, other_nodes=second.nodes,
                other_n=second.n, ratio=ratio, low=low, high=high, method="Welch", verdict=verdict,
            )
        )  # fmt: skip
    return found


def _communication(row: SpeedupRow) -> CommunicationRow:
    if row.strategy == "data_parallel":
        return CommunicationRow(
            **_cell(row), n=row.n, pairs=0, gradient_bytes=2_480_000, step_s=0.02, exposed_s=None, waiting_s=None,
            with_s=None, without_s=None, cost_s=None, cost_low_s=None, cost_high_s=None, cost_share=None,
            reason="exposed communication: not told apart from computing; "
            "cost: the strategy communicates inside its own forward and backward passes",
        )  # fmt: skip
    cost = 0.0007 * math.log2(2 * row.devices)
    return CommunicationRow(
        **_cell(row), n=row.n, pairs=60, gradient_bytes=2_480_000, step_s=0.02, exposed_s=cost * 0.6,
        waiting_s=0.0004, with_s=0.019, without_s=0.019 - cost, cost_s=cost, cost_low_s=cost * 0.9,
        cost_high_s=cost * 1.1, cost_share=cost / 0.019, method="bootstrap", without="a hook that exchanges nothing",
    )  # fmt: skip


def _efficiency(row: SpeedupRow) -> EfficiencyRow:
    whole = row.efficiency or 0.0
    if row.strategy == "data_parallel":
        factors = ("global_efficiency", "parallel", "data_feeding", "load_balance", "communication", "serialization",
                   "transfer", "computation_scalability", "base_global", "residual")  # fmt: skip
        reason = "communication was not told apart from computing"
        return EfficiencyRow(**_cell(row), n=0, measured=whole, reason=reason, **dict.fromkeys(factors))
    scalability = 0.98
    parallel = min(1.0, whole / scalability)
    feeding, balance = parallel**0.2, parallel**0.3
    communication = parallel / feeding / balance
    return EfficiencyRow(
        **_cell(row), n=row.n, global_efficiency=parallel * scalability, parallel=parallel, data_feeding=feeding,
        load_balance=balance, communication=communication, serialization=communication**0.3,
        transfer=communication**0.7, computation_scalability=scalability, measured=whole, base_global=0.99,
        residual=whole / (parallel * scalability) - 1 + 0.004,
    )  # fmt: skip


def _probe(data: ReportData) -> ProbeFacts:
    layouts = sorted({(row.nodes, row.devices) for row in data.speedup if row.devices > 1})
    ceilings = [
        CeilingRow(
            nodes=nodes, devices=devices, work=work, workload=workload, batch_size=64 if workload else 0, unit=unit,
            n=9, alone=alone, alone_low=None, alone_high=None, together=alone * devices**0.97, together_low=None,
            together_high=None, speedup=devices**0.97, speedup_low=devices**0.97 * 0.99,
            speedup_high=devices**0.97 * 1.01, method="bootstrap",
        )
        for nodes, devices in layouts
        for work, workload, unit, alone in (
            ("training", data.workloads[0].name, "images", 2500.0),
            ("matmul", "", "FLOP", 6.1e10),
            ("memory", "", "bytes", 1.2e10),
        )
    ]  # fmt: skip
    links = [
        LinkRow(
            nodes=nodes, devices=devices, group="all", ranks=devices, backend="gloo", sizes=7, repeats=20,
            alpha_s=3.1e-5 * nodes, alpha_low_s=3e-5, alpha_high_s=3.3e-5, beta_s_per_byte=4e-10 * nodes,
            beta_low_s_per_byte=3.8e-10, beta_high_s_per_byte=4.2e-10, largest_error=0.12,
        )
        for nodes, devices in layouts
    ]  # fmt: skip
    all_reduce = [
        AllReduceRow(
            nodes=link.nodes, devices=link.devices, group="all", ranks=link.ranks, backend="gloo", bytes=size, n=20,
            time_s=1.03 * (link.alpha_s + link.beta_s_per_byte * size), time_low_s=link.alpha_s + 3.8e-10 * size,
            time_high_s=1.2 * (link.alpha_s + link.beta_s_per_byte * size),
            fitted_s=link.alpha_s + link.beta_s_per_byte * size,
        )
        for link in links
        for size in (1024, 65536, 4194304)
    ]  # fmt: skip
    return ProbeFacts(ceilings=ceilings, all_reduce=all_reduce, links=links, method="bootstrap")


def _target(row: SpeedupRow) -> TargetRow:
    time_s = (row.time_s or 0) * 4
    return TargetRow(
        **_cell(row), global_batch=64 * row.devices, target=0.87, n=row.n, reached=row.n, epochs=4.0, epochs_low=3.0,
        epochs_high=5.0, time_s=time_s, time_low_s=time_s * 0.9, time_high_s=time_s * 1.1, speedup=row.speedup,
        speedup_low=None, speedup_high=None,
    )  # fmt: skip


def _groups(rows: list[SpeedupRow]) -> list[tuple[str, str, str]]:
    return list(dict.fromkeys((row.workload, row.scaling, row.strategy) for row in rows))


def _fits(rows: list[SpeedupRow]) -> list[FitRow]:
    found = []
    for workload, scaling, strategy in _groups(rows):
        key = {"workload": workload, "scaling": scaling, "strategy": strategy}
        if strategy == "data_parallel":
            found.append(FitRow(**key, law="amdahl", parameter="", refused="two numbers of devices; three are needed"))
            continue
        law, parameter = ("gustafson", "serial_fraction") if scaling == "weak" else ("usl", "sigma")
        found.append(
            FitRow(**key, law=law, parameter=parameter, value=0.034, low=0.029, high=0.041, n=4, largest_devices=16,
                   error=0.021)
        )  # fmt: skip
    return found


def _fit_curves(rows: list[SpeedupRow]) -> list[FitCurve]:
    devices = [2**power for power in range(7)]
    found = []
    for workload, scaling, strategy in _groups(rows):
        if strategy == "data_parallel":
            continue
        law = "gustafson" if scaling == "weak" else "amdahl"
        cells = [row for row in rows if (row.workload, row.scaling, row.strategy) == (workload, scaling, strategy)]
        last, reached = cells[-1].devices, cells[-1].speedup or 1.0
        share = (last - reached) / (last - 1) if law == "gustafson" else (last / reached - 1) / (last - 1)
        values = [p - share * (p - 1) if law == "gustafson" else 1 / (share + (1 - share) / p) for p in devices]
        found.append(
            FitCurve(workload=workload, scaling=scaling, strategy=strategy, law=law, devices=devices, speedup=values)
        )
    return found


def _predictions(rows: list[SpeedupRow]) -> list[PredictionCurve]:
    devices = [2**power for power in range(1, 15)]
    curves = []
    for workload, scaling, strategy in _groups(rows):
        if strategy != "ddp" or scaling == "epoch":
            continue
        for algorithm, cost in (("ring", 0.02), ("tree", 0.012)):
            values = [1 / (1 + cost * math.log2(count) ** 1.5) for count in devices]
            curves.append(
                PredictionCurve(
                    workload=workload, scaling=scaling, strategy=strategy, algorithm=algorithm, devices=devices,
                    efficiency=values, low=[value * 0.94 for value in values],
                    high=[min(1.0, value * 1.05) for value in values], step_s=[0.02 / value for value in values],
                    network="latency 31 µs and 2.5 GB/s, as probed",
                )
            )  # fmt: skip
    return curves


def _validation(rows: list[SpeedupRow]) -> list[ValidationRow]:
    return [
        ValidationRow(
            workload=row.workload, scaling=row.scaling, strategy=row.strategy, model=model, fitted_devices=8,
            nodes=row.nodes, devices=row.devices, predicted=(row.efficiency or 0) * factor,
            low=(row.efficiency or 0) * 0.95, high=(row.efficiency or 0) * 1.05, measured=row.efficiency or 0,
            error=factor - 1,
        )
        for row in rows
        if row.strategy == "ddp" and row.devices == 16 and row.scaling != "epoch"
        for model, factor in (("usl", 1.031), ("step model (ring)", 0.978))
    ]  # fmt: skip

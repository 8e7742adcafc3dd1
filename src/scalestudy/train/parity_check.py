"""The parity check of a study: every strategy of every workload, on this machine, in float64."""

import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from time import time

import torch
from torch import Tensor, nn

from scalestudy.errors import StudyError
from scalestudy.records.files import read_model, write_model
from scalestudy.records.machine import count_gpus
from scalestudy.records.parity import Parity, ParityRow
from scalestudy.spec.catalog import STRATEGIES
from scalestudy.spec.run import Run, Study
from scalestudy.train.context import Context
from scalestudy.train.control import join_process_group
from scalestudy.train.data.tensors import load_meta
from scalestudy.train.job import build, load_data, make_context
from scalestudy.train.mesh import Mesh
from scalestudy.train.models.build import Shape, build_model
from scalestudy.train.models.traits import has_batch_norm, needs_two_images, switch_dropout_off
from scalestudy.train.parity import (
    Reference,
    Shares,
    batch_sizes,
    compare,
    trace_reference,
    trace_strategy,
)
from scalestudy.train.processes import RankFailed, Work, run_ranks
from scalestudy.train.provenance import here, part_from
from scalestudy.train.ranks import Rank
from scalestudy.train.stopping import EXIT_STOPPED
from scalestudy.train.strategies.make import make_strategy

SHARES: tuple[Shares, ...] = ("even", "uneven")
IMPORTED_ONCE = ("torch._dynamo", "torch.distributed.fsdp")
"""What optimizers and strategies import when they are made, 1.3 s and more: here, and not in every rank."""
DRAWS = "the model draws random numbers outside of dropout layers, which the check cannot switch off"
BOTH_WAYS = ((2, 2),)
"""Layouts that are checked beside those of the study where a strategy works along both axes of the mesh."""


def check_study(study: Study) -> Parity:
    """Check every strategy of the study on each of its layouts. A strategy that crashes fails its check.

    Raises StudyError, naming the workload, where a model cannot be built: no run of it could train.
    """
    for module in IMPORTED_ONCE:
        import_module(module)
    for run in {run.cell.workload: run for run in study.runs}.values():
        _build_once(run)
    provenance = here(part_from(time()))
    rows = []
    runs = list(runs_to_check(study))
    for number, run in enumerate(runs, 1):
        found = check_run(run)
        rows.extend(found)
        print(f"parity {number}/{len(runs)}: {_summary(found)}", file=sys.stderr, flush=True)
    return Parity(rows=rows, provenance=provenance)


def _build_once(run: Run) -> None:
    """Raises StudyError where the model cannot be built; in a process of its own, since this one must not compute."""

    def work(_: Rank) -> int:
        prepared = load_meta(Path(run.data_folder))
        build_model(run.workload.model, prepared.shape, len(prepared.classes))
        return 0

    try:
        _as_ranks(work, 1)
    except RankFailed as failure:
        raise StudyError(f"workloads.{run.cell.workload}: {failure}") from failure


def _as_ranks(work: Work, ranks: int) -> None:
    """Do the work as so many ranks. Raises KeyboardInterrupt when they were asked to stop."""
    if run_ranks(work, ranks) == EXIT_STOPPED:
        raise KeyboardInterrupt


def _summary(rows: list[ParityRow]) -> str:
    """One line on one layout."""
    row = rows[0]
    what = f"{row.workload} {row.strategy} {row.nodes}x{row.devices // row.nodes}"
    if failed := [row for row in rows if not row.passed]:
        return f"{what} FAILED {failed[0].error or 'to compute what serial training computes'}"
    error = max(row.gradient_error or 0.0 for row in rows)
    return f"{what} ok, gradients {f'differ by at most {error:.0e}' if error else 'equal bit for bit'}"


def runs_to_check(study: Study) -> Iterator[Run]:
    """One run per workload, entry of a strategy and layout. What rounds is off: precision, compilation, compression."""
    seen = set()
    for run in study.runs:
        layouts = [(run.cell.nodes, run.cell.devices_per_node)]
        facts = STRATEGIES[run.cell.strategy]
        if facts.both_axes and run.device == "cpu":
            layouts += BOTH_WAYS
        for nodes, devices in layouts:
            key = (run.cell.workload, run.cell.variant, nodes, devices)
            if key not in seen:
                seen.add(key)
                yield _exact(run, nodes, devices)


def _exact(run: Run, nodes: int, devices: int) -> Run:
    """The run without anything that rounds, on this layout; ranks may share cores, nothing is timed."""
    workload = run.workload.model_copy(update={"precision": "float32", "compile": False})
    options = {key: value for key, value in run.strategy_options.items() if key != "compression"}
    if run.cell.strategy == "serial":
        options["cuda_graph"] = False  # steps of the check are no whole batches, and would pass it by
    cell = run.cell.model_copy(update={"nodes": nodes, "devices_per_node": devices})
    changes = {"workload": workload, "strategy_options": options, "cell": cell, "oversubscribed": True}
    if run.device == "cuda" and _gpus_here() < nodes * devices:  # nodes of a cluster, checked on one
        changes |= {"device": "cpu", "strategy_options": options | {"communication": "auto"} if options else {}}
        changes["workload"] = workload.model_copy(update={"sync_batch_norm": False})  # torch has it on GPUs only
    return run.model_copy(update=changes)


def _gpus_here() -> int:
    """GPUs that ranks can use. Where nvidia-smi counts them, this process does not touch CUDA, which those that are
    forked from it could not use then."""
    built = torch.backends.cuda.is_built()  # type: ignore[no-untyped-call]
    return (count_gpus() or torch.cuda.device_count()) if built else 0


def check_run(run: Run) -> list[ParityRow]:
    """The rows of one strategy on one layout, computed by its ranks.

    Raises MayPass for a full disk and the like: the strategy is not wrong for it.
    """
    with tempfile.TemporaryDirectory(prefix="scalestudy-") as folder:
        path = Path(folder) / "rows.json"

        def work(rank: Rank) -> int:
            rows = _check_as(run, rank)
            if rank.rank == 0:
                write_model(path, Parity(rows=rows))
            return 0

        try:
            _as_ranks(work, Mesh.of(run).processes)
        except RankFailed as failure:
            return [_failed(run, shares, str(failure)) for shares in SHARES]
        return read_model(path, Parity).rows


def _failed(run: Run, shares: Shares, reason: str) -> ParityRow:
    return ParityRow(
        workload=run.cell.workload,
        strategy=run.cell.variant,
        nodes=run.cell.nodes,
        devices=run.cell.devices,
        reference="shards",
        shares=shares,
        implementation="",
        steps=0,
        gradient_error=None,
        parameter_error=None,
        passed=False,
        error=reason,
    )


def _check_as(run: Run, rank: Rank) -> list[ParityRow]:
    """What one rank does: train with the strategy; rank 0 also trains the references and compares."""
    context = make_context(run, rank, dtype=torch.float64)
    prepared, (train, _) = load_data(run, context)
    if rank.ranks > 1:
        join_process_group(rank.rank, rank.ranks, context.device, rank.init_method)
    alone = run.model_copy(update={"workload": run.workload.model_copy(update={"sync_batch_norm": False})})
    least = fewest_images(run, context.mesh, build(alone, prepared, context)[0], prepared.shape)
    rows = []
    for shares in SHARES:
        sizes = batch_sizes(context.mesh, shares, len(train.resident), least)
        train.start_epoch(run.seed, 0, sum(sizes))
        strategy = make_strategy(context, _repeatable(build(run, prepared, context)[0]))
        before = _random_state(context)
        found = trace_strategy(strategy, train, sizes)
        draws = not torch.equal(before, _random_state(context))
        if rank.rank == 0:
            for reference in references(run, context.mesh, strategy.plain):
                plain = _repeatable(build(alone, prepared, context)[0])  # rank 0 trains it without the others
                expected = trace_reference(run, plain, train, context.mesh, sizes, reference)
                row = compare(run, strategy, found, expected, reference, shares)
                rows.append(row.model_copy(update={"error": DRAWS}) if draws and not row.passed else row)
        strategy.close()
    return rows


def _random_state(context: Context) -> Tensor:
    """Of the generator that layers on the process's first device draw from."""
    gpu = context.device if context.device.type == "cuda" else None
    return torch.get_rng_state() if gpu is None else torch.cuda.get_rng_state(gpu)


def _repeatable(model: nn.Module) -> nn.Module:
    """The model without dropout: strategies draw other masks, and none of them is wrong for it."""
    switch_dropout_off(model)
    return model


def fewest_images(run: Run, mesh: Mesh, model: nn.Module, shape: Shape) -> int:
    """Images that every device needs in every batch, because of the model's batch norm; 0: it can do without any."""
    if run.workload.sync_batch_norm and mesh.devices > 1:
        return 1
    return 2 * run.workload.accumulate if needs_two_images(model, shape) else 0


def references(run: Run, mesh: Mesh, model: nn.Module) -> list[Reference]:
    """The loops to compare with: shares always, whole batches where the network has no batch norm per share."""
    if mesh.devices == 1 or run.workload.sync_batch_norm:
        return ["full_batch"]
    return ["shards"] if has_batch_norm(model) else ["shards", "full_batch"]

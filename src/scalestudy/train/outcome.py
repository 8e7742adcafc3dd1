"""From a finished run to its result."""

import resource
import socket
import statistics
from typing import Any

import torch
import torch.distributed as dist

from scalestudy.records.prepared import Prepared
from scalestudy.records.result import PHASES, DevicePhases, Epoch, LayerRow, Result, Startup
from scalestudy.train.context import Context
from scalestudy.train.digest import weights_digest
from scalestudy.train.loop import Trainer
from scalestudy.train.provenance import collect

INSEPARABLE = ("communication", "waiting")
"""Phases that a strategy without marks around its communication cannot tell from forward and backward."""


def make_result(
    trainer: Trainer,
    prepared: Prepared,
    layers: list[LayerRow],
    startup: Startup,
    malloc_tuned: bool,
) -> Result:
    """The result of a run that came to its end. All ranks call it together; rank 0's is the one to write."""
    strategy, run, progress = trainer.strategy, trainer.run, trainer.progress
    parts = trainer.parts()
    context = strategy.context
    everywhere = _gather_objects(
        trainer.control.ranks,
        {
            "host": socket.gethostname(),
            "pinned": context.cores,
            "memory": _peak_memory(context),
            "phases": [phases.model_dump() for phases in _phases(trainer)],
        },
    )
    epochs = [Epoch(**epoch) for epoch in progress.epochs]
    timed = [epoch for epoch in epochs if epoch.timed]
    parameters = list(strategy.plain.parameters())
    return Result(
        run_id=run.id,
        run_digest=run.digest,
        outcome="completed",
        implementation=strategy.implementation,
        notes=context.notes,
        epochs=epochs,
        phases=[DevicePhases(**row) for part in everywhere for row in part["phases"]],
        phases_reason=strategy.not_in_phases or strategy.not_apart,
        startup=startup,
        total_s=sum(part.time_s for part in parts),
        images_per_s=trainer.samples / statistics.median(epoch.time_s for epoch in timed) if timed else None,
        peak_memory_bytes=max(part["memory"] for part in everywhere),
        parameters=sum(parameter.numel() for parameter in parameters),
        gradient_bytes=sum(
            parameter.numel() * parameter.element_size() for parameter in parameters if parameter.requires_grad
        ),
        layers=layers,
        weights_sha256=weights_digest(strategy),
        resumed=progress.resumed,
        parts=parts,
        provenance=collect(
            context,
            prepared,
            hosts=[part["host"] for part in everywhere],
            pinned=[cores for part in everywhere for cores in part["pinned"]],
            malloc_tuned=malloc_tuned,
            part=trainer.part,
        ),
    )


def _phases(trainer: Trainer) -> list[DevicePhases]:
    """One row per device of this process; what was not measured is None. One clock may stand for all devices."""
    context, progress = trainer.strategy.context, trainer.progress
    unknown: tuple[str, ...] = ()
    if trainer.strategy.not_in_phases or not trainer.clock.measures_phases:
        unknown = PHASES
    elif not trainer.strategy.separates_communication:
        unknown = INSEPARABLE
    rows = []
    measured = progress.phases if len(progress.phases) > 1 else progress.phases * len(context.device_numbers)
    for number, sums in zip(context.device_numbers, measured, strict=True):
        seconds = {name: None if name in unknown else value for name, value in zip(PHASES, sums, strict=True)}
        rows.append(DevicePhases(device=number, steps=progress.timed_steps, time_s=progress.step_time_s, **seconds))
    return rows


def _peak_memory(context: Context) -> int:
    """Bytes: allocated on the GPUs of this process, or the largest resident set of the process."""
    if context.device.type == "cuda":
        return sum(torch.cuda.max_memory_allocated(device) for device in context.devices)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _gather_objects(ranks: int, own: dict[str, Any]) -> list[dict[str, Any]]:
    if ranks == 1:
        return [own]
    parts: list[Any] = [None] * ranks
    dist.all_gather_object(parts, own)
    return parts

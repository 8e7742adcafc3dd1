"""The probe of one layout, from its plan to its file."""

import socket
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from time import time

import torch.distributed as dist

from scalestudy.records.files import write_model
from scalestudy.records.probe import Probe, Throughput
from scalestudy.records.provenance import Provenance
from scalestudy.spec.probing import Probing
from scalestudy.spec.run import Run
from scalestudy.train.context import Context
from scalestudy.train.control import Control, join_process_group
from scalestudy.train.data.tensors import load_meta
from scalestudy.train.job import make_context
from scalestudy.train.launch import on_all_ranks
from scalestudy.train.load import CpuTimes, foreign_load
from scalestudy.train.probe.machine import machine_works
from scalestudy.train.probe.messages import all_reduce_times
from scalestudy.train.probe.throughput import Works, in_turn
from scalestudy.train.probe.training import trainings
from scalestudy.train.processor import keep_freed_memory
from scalestudy.train.provenance import collect, part_from
from scalestudy.train.ranks import Rank

IMPORTED_ONCE = "torch._dynamo"
"""What the first optimizer imports, 1.3 s: here, and not in every rank."""


def probe_layout(probing: Probing, path: Path, started: float) -> int:
    """Probe a layout and write its file, in this process and in those that it starts. Returns the exit code.

    ``started`` is the Unix time at which the process was started. Raises what training raises.
    """
    run = probing.run

    def work(rank: Rank) -> int:
        probe = probe_as(probing, run, rank, started)
        if rank.rank == 0:
            write_model(path, probe.model_copy(update={"time_s": time() - started}))
        return 0

    import_module(IMPORTED_ONCE)
    return on_all_ranks(work, run, f"probe of {probing.layout}")


def probe_as(probing: Probing, run: Run, rank: Rank, started: float) -> Probe:
    """Everything that is probed on a layout, as one of its ranks. All ranks together."""
    malloc_tuned = keep_freed_memory()
    context = make_context(run, rank)
    if rank.ranks > 1:
        join_process_group(rank.rank, rank.ranks, context.device, rank.init_method)
    control = Control(rank.ranks)
    bare = Probe(
        digest=probing.digest,
        nodes=probing.nodes,
        devices_per_node=probing.devices_per_node,
        device=run.device,
        cores_per_device=run.cores_per_device,
        oversubscribed=run.oversubscribed,
    )
    before = CpuTimes.now()
    if run.oversubscribed:  # ranks that share cores tell nothing of the machine
        return bare.model_copy(update={"provenance": _provenance(context, malloc_tuned, started)})
    throughput, all_reduce = list(_throughputs(probing, context, control)), all_reduce_times(context, control)
    node = 0 if rank.one_machine else context.mesh.node_of(rank.rank)
    return bare.model_copy(
        update={
            "backend": _backend(run) if rank.ranks > 1 else "",
            "throughput": throughput,
            "all_reduce": all_reduce,
            "foreign_load": foreign_load(before, CpuTimes.now(), node, control),
            "provenance": _provenance(context, malloc_tuned, started),
        }
    )


def _throughputs(probing: Probing, context: Context, control: Control) -> Iterator[Throughput]:
    makers = [*trainings(probing, context), *machine_works(context)]
    for make in makers:
        works: Works = make()
        yield in_turn(works, context, control)


def _backend(run: Run) -> str:
    return "nccl" if run.device == "cuda" else "gloo"


def _provenance(context: Context, malloc_tuned: bool, started: float) -> Provenance:
    """Where the probe ran: hosts and cores of all ranks."""
    own = (socket.gethostname(), context.cores)
    everywhere = [own]
    if dist.is_initialized():
        everywhere = [own] * context.mesh.processes
        dist.all_gather_object(everywhere, own)
    return collect(
        context,
        load_meta(Path(context.run.data_folder)),
        hosts=[host for host, _ in everywhere],
        pinned=[cores for _, devices in everywhere for cores in devices],
        malloc_tuned=malloc_tuned,
        part=part_from(started),
    )

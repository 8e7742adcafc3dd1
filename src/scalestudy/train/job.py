"""One rank of one run, from run.json to its part of the result."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, perf_counter, time
from typing import TypedDict

import torch
from torch import nn

from scalestudy.errors import may_pass
from scalestudy.records.events import SCHEMA_VERSION, EventLog
from scalestudy.records.files import write_model
from scalestudy.records.paths import RunPaths
from scalestudy.records.prepared import Prepared
from scalestudy.records.result import LayerRow, Startup
from scalestudy.spec.run import Run
from scalestudy.train.checkpoint import Checkpoints
from scalestudy.train.communication_cost import communication_cost
from scalestudy.train.context import Context
from scalestudy.train.control import Control, join_process_group
from scalestudy.train.data.batches import EpochBatches, ResidentImages
from scalestudy.train.data.tensors import load_meta, load_split
from scalestudy.train.lock import Finished
from scalestudy.train.loop import Progress, Trainer
from scalestudy.train.mesh import Mesh
from scalestudy.train.models.build import build_model, layer_table
from scalestudy.train.optimizer import make_optimizer
from scalestudy.train.outcome import make_result
from scalestudy.train.processor import available_cores, cores_of_devices, keep_freed_memory, pin_thread
from scalestudy.train.progress import ProgressLine
from scalestudy.train.provenance import part_from
from scalestudy.train.ranks import Rank
from scalestudy.train.seeding import seed_model
from scalestudy.train.shares import check_shares
from scalestudy.train.stopping import Stopped, StopRequest, deadline
from scalestudy.train.strategies.base import Strategy
from scalestudy.train.strategies.make import make_strategy

GPU_NOTE = "cuDNN chose its algorithms by timing them; TF32 as torch has it: in convolutions, not in matrix products."


@dataclass(frozen=True)
class Job:
    """What every rank of a run is given."""

    run: Run
    paths: RunPaths
    title: str
    """How the progress line calls the run."""
    started: float
    """Unix time at which the run's first process was started; later by as much as it waited for another one."""
    measure_communication: bool = True
    """Whether to measure, after training, what communication costs."""
    finished: bool = False
    """Whether the process that rank 0 waited for finished the run; it has yet to tell the others."""


def run_rank(job: Job, rank: Rank) -> None:
    """Train as one rank, to the end or until asked to stop; rank 0 writes the result.

    Raises Stopped when asked to stop, Finished when there is nothing left to train, StudyError and whatever training
    raises.
    """
    launch_s = max(0.0, time() - job.started)  # between processes: from here on no clock counts that may be set
    began = monotonic() - launch_s
    log = EventLog(job.paths.events(rank.rank))
    try:
        _train(job, rank, log, began, launch_s)
    except (Stopped, Finished):
        raise
    except Exception as error:
        log.write("error", message=f"{type(error).__name__}: {error}", may_pass=may_pass(error))
        raise
    finally:
        log.close()


def _train(job: Job, rank: Rank, log: EventLog, began: float, launch_s: float) -> None:
    """From the data to the result."""
    malloc_tuned = keep_freed_memory()
    context = make_context(job.run, rank)
    begin = perf_counter()
    prepared, batches = load_data(job.run, context)
    loaded = perf_counter()
    trainer, layers = _make_trainer(job, rank, context, prepared, batches, log, began)
    built = perf_counter()
    for _ in range(max(trainer.strategy.passes_before, int(job.run.workload.compile))):
        trainer.warm_up()
    startup = Startup(
        launch_s=launch_s, data_s=loaded - begin, build_s=built - loaded, warm_up_s=perf_counter() - built
    )
    try:
        trainer.run_to_end()
        result = make_result(trainer, prepared, layers, startup, malloc_tuned)
        log.write("end", total_s=result.total_s)
        if job.measure_communication:
            cost = communication_cost(trainer, lambda scratch: build(job.run, prepared, scratch)[0])
            result = result.model_copy(update={"communication_cost": cost})
        if rank.rank == 0:
            write_model(job.paths.result, result)
        trainer.control.barrier()  # no rank leaves, and no state goes, before the result is written
        trainer.checkpoints.remove()
    finally:
        trainer.line.close()
        trainer.strategy.close()


def _make_trainer(
    job: Job,
    rank: Rank,
    context: Context,
    prepared: Prepared,
    batches: tuple[EpochBatches, ResidentImages],
    log: EventLog,
    began: float,
) -> tuple[Trainer, list[LayerRow]]:
    """Model, strategy and optimizer, as new or as the last checkpoint has them, and the model's layer table."""
    control = Control(rank.ranks)
    stop = StopRequest(control, job.paths.stop if rank.rank == 0 else None, deadline(os.environ))
    stop.listen()
    if rank.ranks > 1:
        join_process_group(rank.rank, rank.ranks, context.device, rank.init_method)
        if control.any(job.finished):
            raise Finished
    _log_start(log, job, rank)  # not before: another job may have written here while rank 0 waited for it
    samples = job.run.train_samples or prepared.train
    model, layers = build(job.run, prepared, context)
    check_shares(job.run, context.mesh, samples, model, prepared.shape)
    strategy = make_strategy(context, model)
    optimizer = make_optimizer(job.run.workload.optimizer, strategy.parameters(), strategy.fused_optimizer)
    checkpoints = Checkpoints(job.paths.checkpoints, job.run.digest, rank.rank, control)
    trainer = Trainer(
        strategy=strategy,
        optimizer=optimizer,
        train=batches[0],
        test=batches[1],
        test_images=len(batches[1]),
        samples=samples,
        control=control,
        stop=stop,
        checkpoints=checkpoints,
        log=log,
        line=ProgressLine(job.title, job.run.workload.epochs, quiet=rank.rank > 0),
        progress=_take_up(checkpoints, strategy, optimizer, log),
        one_machine=rank.one_machine,
        began=began,
        part=part_from(job.started),
    )
    return trainer, layers


def make_context(run: Run, rank: Rank, dtype: torch.dtype = torch.float32) -> Context:
    """Devices, cores and threads of this process."""
    mesh = Mesh.of(run)
    if rank.ranks != mesh.processes:
        raise ValueError(f"{run.id} needs {mesh.processes} ranks, and was started with {rank.ranks}")
    notes: list[str] = []
    own = mesh.devices_of(rank.rank)
    on_host = range(mesh.devices)
    if not rank.one_machine:
        node = mesh.node_of(rank.rank)
        first = node * mesh.devices_per_node
        own, on_host = range(own.start - first, own.stop - first), range(mesh.devices_per_node)
    if run.device == "cuda":
        devices = [torch.device("cuda", number) for number in own]
        torch.cuda.set_device(devices[0])
        torch.backends.cudnn.benchmark = True  # every batch but an epoch's last has the same shape
        notes = [GPU_NOTE]
        cores: list[list[int]] = [[] for _ in own]
    else:
        devices = [torch.device("cpu") for _ in own]
        cores = [[] for _ in own] if run.oversubscribed else cores_of_devices(own, on_host, run.cores_per_device)
    available = len(available_cores())
    pin_thread(cores[0])
    torch.set_num_threads(run.cores_per_device)
    return Context(
        run=run, rank=rank.rank, mesh=mesh, devices=devices, cores=cores, dtype=dtype, available=available, notes=notes
    )


class _Placed(TypedDict):
    """How images are normalized, and where and in which form they lie."""

    mean: list[float]
    std: list[float]
    device: torch.device
    dtype: torch.dtype
    memory_format: torch.memory_format


def load_data(run: Run, context: Context) -> tuple[Prepared, tuple[EpochBatches, ResidentImages]]:
    """The prepared data set on the process's first device."""
    folder = Path(run.data_folder)
    prepared = load_meta(folder)
    data, channels_last = run.workload.data, run.workload.memory_format == "channels_last"
    layout = torch.channels_last if channels_last else torch.contiguous_format
    placed: _Placed = {
        "mean": prepared.mean,
        "std": prepared.std,
        "device": context.device,
        "dtype": context.dtype,
        "memory_format": layout,
    }
    train = EpochBatches(load_split(folder, "train", data.train), augment=data.augment, **placed)
    test = ResidentImages(load_split(folder, "test", data.test), **placed)
    return prepared, (train, test)


def build(run: Run, prepared: Prepared, context: Context) -> tuple[nn.Module, list[LayerRow]]:
    """The model, the same on every rank, and its layer table."""
    workload = run.workload
    seed_model(run.seed)
    model = build_model(workload.model, prepared.shape, len(prepared.classes))
    layers = layer_table(model, prepared.shape)
    if workload.sync_batch_norm:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
    layout = torch.channels_last if workload.memory_format == "channels_last" else torch.contiguous_format
    model = model.to(device=context.device, dtype=context.dtype, memory_format=layout)  # type: ignore[call-overload]
    if workload.compile:
        model.compile()
    return model, layers


def _log_start(log: EventLog, job: Job, rank: Rank) -> None:
    log.write(
        "start",
        run=job.run.id,
        digest=job.run.digest,
        rank=rank.rank,
        ranks=rank.ranks,
        host=platform.node(),
        pid=os.getpid(),
        schema_version=SCHEMA_VERSION,
    )


def _take_up(checkpoints: Checkpoints, strategy: Strategy, optimizer: torch.optim.Optimizer, log: EventLog) -> Progress:
    """Progress from the last checkpoint, or none."""
    state = checkpoints.load(strategy, optimizer)
    if state is None:
        return Progress()
    progress = Progress(**state)
    progress.resumed += 1
    progress.parts += progress.step > 0
    log.write("resume", epoch=progress.epoch, step=progress.step)
    return progress

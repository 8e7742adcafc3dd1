"""DDP: one process per device, gradients all-reduced in buckets while the backward pass runs."""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from scalestudy.train.clock import StepClock
from scalestudy.train.context import Context
from scalestudy.train.data.tensors import load_meta
from scalestudy.train.models.traits import unused_parameters
from scalestudy.train.shared_memory import SharedMemoryReducer, average_in_shared_memory
from scalestudy.train.strategies.base import Batches
from scalestudy.train.strategies.processes import OneDevicePerProcess


class DDP(OneDevicePerProcess):
    """``DistributedDataParallel``, with the options that spec/options.py lists.

    Batch-norm buffers are not broadcast in every step: they do not enter training, and evaluation takes rank 0's.
    """

    silence = "a communication hook that exchanges nothing"

    def __init__(self, context: Context, model: nn.Module) -> None:
        super().__init__(context, model)
        options = context.run.strategy_options
        static = options.get("static_graph")
        static = context.run.workload.accumulate == 1 if static is None else static
        self._wrapped = DistributedDataParallel(
            model,
            device_ids=[context.device.index] if context.device.type == "cuda" else None,
            forward_sync_buffers=False,
            bucket_cap_mb=options.get("bucket_mb"),
            gradient_as_bucket_view=options.get("gradient_as_bucket_view", True),
            static_graph=static,
            find_unused_parameters=not static and _leaves_some_unused(context, model),
        )
        self._reducer: SharedMemoryReducer | None = None
        compression = options.get("compression") or "none"
        # What PowerSGD carries from step to step belongs to buckets, and those are other ones after a start.
        self.resumes = compression != "powersgd"
        communication = _communication(context, compression)
        if not context.communicates:
            communication, compression = "no communication", "none"
            self._wrapped.register_comm_hook(None, _exchange_nothing)
        elif communication == "shared_memory":
            self._reducer = SharedMemoryReducer(self._wrapped)
            self._wrapped.register_comm_hook(self._reducer, average_in_shared_memory)
        if compression != "none":
            _COMPRESSION[compression](self._wrapped)
            communication += f", {compression} compression"
        # DDP puts gradients into other buckets after its first passes, with a static graph after two, and where an
        # element lies decides in which order messages add it up over three ranks or more; shared memory always adds in
        # the order of the ranks. PowerSGD counts passes, and its runs start anew.
        self.passes_before = 0 if communication == "shared_memory" or not self.resumes else 2
        self.implementation = f"torch.nn.parallel.DistributedDataParallel ({communication})"

    def close(self) -> None:
        """Let go of the shared memory."""
        if self._reducer is not None:
            self._reducer.close()

    def gradients(self, batches: Batches, start: int, stop: int, clock: StepClock) -> Tensor:
        """This rank's share; backward returns when the gradients of all ranks are averaged."""
        return self.forward_backward(self._wrapped, batches, (start, stop), clock, self._wrapped.no_sync)


def _leaves_some_unused(context: Context, model: nn.Module) -> bool:
    """Whether DDP, unless it plans ahead, must look for unused parameters in every step, which costs time."""
    return unused_parameters(model, load_meta(Path(context.run.data_folder)).shape) > 0


def _communication(context: Context, compression: str) -> str:
    """How gradients travel: as configured, otherwise the fastest for the devices (docs/trainer.md).

    Ranks of one node on CPUs share memory; simulated nodes do not, since nodes could not. Compression needs messages.
    """
    choice = context.run.strategy_options.get("communication") or "auto"
    if choice != "auto":
        return str(choice)
    if context.device.type == "cuda":
        return "nccl"
    one_node = context.mesh.nodes == 1 and context.mesh.processes > 1
    return "shared_memory" if one_node and compression == "none" and sys.platform == "linux" else "gloo"


def _exchange_nothing(_: None, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:  # type: ignore[name-defined]
    """A communication hook that leaves every rank its own gradients."""
    future: torch.futures.Future[Tensor] = torch.futures.Future()
    future.set_result(bucket.buffer())
    return future


def _fp16(wrapped: DistributedDataParallel) -> None:
    from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import fp16_compress_hook

    wrapped.register_comm_hook(dist.group.WORLD, fp16_compress_hook)


def _bf16(wrapped: DistributedDataParallel) -> None:
    from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook

    wrapped.register_comm_hook(dist.group.WORLD, bf16_compress_hook)


def _powersgd(wrapped: DistributedDataParallel) -> None:
    from torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook import PowerSGDState, powerSGD_hook

    state = PowerSGDState(process_group=None, matrix_approximation_rank=2, start_powerSGD_iter=10)
    wrapped.register_comm_hook(state, powerSGD_hook)


_COMPRESSION = {"fp16": _fp16, "bf16": _bf16, "powersgd": _powersgd}
"""Gradient compression by name; each registers a communication hook."""

"""HSDP: parameters, gradients and optimizer state sharded within a node, replicated across nodes (FSDP2)."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from scalestudy.train.clock import COMMUNICATION, StepClock
from scalestudy.train.context import Context
from scalestudy.train.strategies.base import Batches
from scalestudy.train.strategies.processes import OneDevicePerProcess

COMPILED = "a compiled model gathers parameters inside its own passes"
SEVERAL_PASSES = "parameters are gathered for each of several passes of a step"


class HSDP(OneDevicePerProcess):
    """``fully_shard`` on the 2-D mesh, the whole model as one unit.

    Its ranks meet twice in a step: those of a node before the forward pass, to gather parameters, and all of them when
    the backward pass has computed the last gradient.
    """

    owns_full_state = False
    silence = "a mesh of one device for each rank"

    def __init__(self, context: Context, model: nn.Module) -> None:
        if context.run.workload.memory_format == "channels_last":
            model = model.to(memory_format=torch.contiguous_format)
            context.notes.append(
                "FSDP2 refuses channels-last parameters: images are channels-last, weights contiguous."
            )
        super().__init__(context, model)
        if context.run.workload.optimizer.name == "sgd":
            self.fused_optimizer = False
            context.notes.append("FSDP2 refuses the fused SGD: updates run unfused.")
        mesh = context.mesh
        device_mesh = init_device_mesh(
            context.device.type, (mesh.nodes, mesh.devices_per_node), mesh_dim_names=("node", "device")
        )
        sharded = fully_shard(model, mesh=device_mesh if context.communicates else _alone(context))
        assert isinstance(sharded, FSDPModule)
        self._sharded = sharded
        # There are no two places in a step, before the forward pass and after the last gradient, where ranks meet:
        if context.run.workload.compile:
            self.not_apart = COMPILED
        elif context.accumulate > 1:
            self.not_apart = SEVERAL_PASSES
        self._clock: StepClock | None = None
        model.register_forward_pre_hook(self._gathered)  # after that of FSDP2, which gathers
        self._shards = list(model.parameters())
        backend = "nccl" if context.device.type == "cuda" else "gloo"
        self.implementation = f"torch.distributed.fsdp.fully_shard ({backend})"

    def parameters(self) -> list[nn.Parameter]:
        """The shards, also while the model holds gathered parameters, as after a forward pass without a backward."""
        return self._shards

    @property
    def meetings(self) -> tuple[range, ...]:
        """The ranks of the node, then all."""
        first = self.context.mesh.node_of(self.context.rank) * self.context.mesh.processes_per_node
        return range(first, first + self.context.mesh.processes_per_node), range(self.context.mesh.processes)

    def _gathered(self, *_: object) -> None:
        """The forward pass may begin."""
        if self._clock is not None:
            laps = self._clock.devices[0]
            arrived = laps.last
            self._clock.met(arrived, laps.lap(COMMUNICATION))

    @contextmanager
    def _no_sync(self) -> Generator[None, None, None]:
        self._sharded.set_requires_gradient_sync(False)
        try:
            yield
        finally:
            self._sharded.set_requires_gradient_sync(True)

    def gradients(self, batches: Batches, start: int, stop: int, clock: StepClock) -> Tensor:
        """This rank's share; parameters are gathered and gradients reduce-scattered on the way."""
        self._clock = clock if self.separates_communication else None
        loss = self.forward_backward(self.plain, batches, (start, stop), clock, self._no_sync)
        self._clock = None
        return loss

    def full_tensors(self, tensors: Iterable[Tensor]) -> list[Tensor]:
        """Gathered over the shards."""
        return [
            tensor.full_tensor() if isinstance(tensor, DTensor) else tensor for tensor in map(Tensor.detach, tensors)
        ]


def _alone(context: Context) -> DeviceMesh:
    """A mesh of this rank only, over which sharding copies as always and sends nothing."""
    whole = init_device_mesh(context.device.type, (context.mesh.processes, 1), mesh_dim_names=("rank", "device"))
    return whole["device"]

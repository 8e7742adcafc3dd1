"""Hybrid: data parallel over the devices inside a node in one process, gradients all-reduced between nodes."""

import torch
import torch.distributed as dist
from torch import Tensor, nn

from scalestudy.train.clock import BACKWARD, COMMUNICATION, StepClock
from scalestudy.train.context import Context
from scalestudy.train.strategies.base import Batches
from scalestudy.train.strategies.data_parallel import DataParallel
from scalestudy.train.strategies.delegate import Delegate
from scalestudy.train.strategies.threads import LARGE


class Hybrid(Delegate):
    """The course report's concept made real: DataParallel along the mesh's devices, all-reduce along its nodes."""

    def __init__(self, context: Context, model: nn.Module) -> None:
        super().__init__(DataParallel(context, model))
        backend = "nccl" if context.device.type == "cuda" else "gloo"
        self.implementation = f"{self.inner.implementation} in a node, all-reduce ({backend}) between nodes"
        self.silence = self.inner.silence
        self.not_apart = self.inner.not_apart
        self._trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._known = torch.ones(len(self._trained), dtype=context.dtype, device=context.device)
        if context.mesh.processes > 1:  # all start from rank 0's parameters
            for tensor in [*model.parameters(), *model.buffers()]:
                dist.broadcast(tensor.detach(), src=0)

    def gradients(self, batches: Batches, start: int, stop: int, clock: StepClock) -> Tensor:
        """The node's gradients from its devices, then their sum over the nodes."""
        loss = self.inner.gradients(batches, start, stop, clock)
        arrived = clock.now()
        if self.context.mesh.processes > 1 and self.context.communicates:
            self._sum_over_nodes()
        left = clock.now()
        clock.met(arrived, left)
        for laps in clock.devices:
            laps.lap(COMMUNICATION if self.separates_communication else BACKWARD, left)
        return loss

    def _sum_over_nodes(self) -> None:
        """Sum the gradients of all trainable parameters, which a node without images or with another path lacks.

        A parameter that no node has a gradient for keeps none, as in serial training: an optimizer would move it.
        """
        lacking = [place for place, parameter in enumerate(self._trained) if parameter.grad is None]
        for place in lacking:
            self._trained[place].grad = torch.zeros_like(self._trained[place])
        known = self._known.fill_(1)
        if lacking:
            known[lacking] = 0
        sum_over_ranks([parameter.grad for parameter in self._trained if parameter.grad is not None] + [known])
        for place in lacking:  # a rank that has all of them reads no flag, and need not wait for its GPU
            if not known[place]:
                self._trained[place].grad = None


def sum_over_ranks(gradients: list[Tensor]) -> None:
    """Sum tensors over all ranks in place: large ones where they lie, small ones together in one message.

    Which is which depends on sizes alone: memory formats may differ between ranks.
    """
    small = [gradient for gradient in gradients if gradient.numel() <= LARGE]
    large = [gradient for gradient in gradients if gradient.numel() > LARGE]
    messages = [gradient.contiguous() for gradient in large]
    works = [dist.all_reduce(message, async_op=True) for message in messages]
    if small:
        from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors

        flat = _flatten_dense_tensors(small)  # type: ignore[no-untyped-call]
        dist.all_reduce(flat)
        for gradient, total in zip(small, _unflatten_dense_tensors(flat, small), strict=True):  # type: ignore[no-untyped-call]
            gradient.copy_(total)
    for gradient, message, work in zip(large, messages, works, strict=True):
        work.wait()
        if message is not gradient:
            gradient.copy_(message)

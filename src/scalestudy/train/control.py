"""What the ranks of a run tell each other beside gradients: barriers, sums, and whether to stop."""

from datetime import timedelta

import torch
import torch.distributed as dist

from scalestudy.errors import MayPass

TIMEOUT = timedelta(minutes=5)
"""How long ranks wait for each other: to meet, and in every operation."""


class Control:
    """Small collective operations on the CPU; for a run of one process they cost nothing."""

    def __init__(self, ranks: int) -> None:
        self.ranks = ranks

    def barrier(self) -> None:
        """Wait for all ranks."""
        if self.ranks > 1:
            dist.all_reduce(torch.zeros(1))

    def gather(self, values: torch.Tensor) -> torch.Tensor:
        """The values of all ranks, ``[ranks, *values.shape]``."""
        if self.ranks == 1:
            return values.unsqueeze(0)
        parts = [torch.empty_like(values) for _ in range(self.ranks)]
        dist.all_gather(parts, values)
        return torch.stack(parts)

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any rank; all ranks get the same answer."""
        if self.ranks == 1:
            return flag
        value = torch.tensor([float(flag)])
        dist.all_reduce(value)
        return bool(value.item())

    def broadcast(self, tensors: list[torch.Tensor]) -> None:
        """Overwrite the tensors with those of rank 0."""
        if self.ranks > 1:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)


def join_process_group(
    rank: int, ranks: int, device: torch.device, init_method: str, timeout: timedelta = TIMEOUT
) -> None:
    """Join the default process group: gloo for CPU tensors, and NCCL for those of this GPU, which torch would guess.

    Raises MayPass when the port is taken, or the other ranks do not come in time.
    """
    gpu = device if device.type == "cuda" else None
    backend = "cpu:gloo,cuda:nccl" if gpu else "gloo"
    try:
        dist.init_process_group(
            backend, init_method=init_method, rank=rank, world_size=ranks, timeout=timeout, device_id=gpu
        )
    except dist.DistBackendError:  # NCCL sets up its GPU here: that is no matter of who came
        raise
    except RuntimeError as error:  # torch's own are all of this kind
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise MayPass(f"the ranks did not meet at {init_method}: {reason}") from error

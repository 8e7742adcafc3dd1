"""Time of an all-reduce over message sizes, for all ranks and for one of each node."""

from time import perf_counter_ns
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from scalestudy.records.probe import AllReduce, Group
from scalestudy.train.context import Context
from scalestudy.train.control import Control

SIZES = (4, 1 << 10, 1 << 13, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24)
"""Bytes of a message; gradients are sent in pieces of some MB."""
REPEATS = 9
SAMPLE_S = 0.002
"""Small messages are sent so often in a sample that it takes about this long."""
MOST_S = 4.0
"""A size that would take longer, all repeats together, is left out with the larger ones: the link is slow."""


def all_reduce_times(context: Context, control: Control) -> list[AllReduce]:
    """Measure it. All ranks together; nothing for one rank."""
    mesh = context.mesh
    if mesh.processes == 1:
        return []
    found = _times("all", range(mesh.processes), None, context, control)
    if mesh.nodes > 1 and mesh.processes_per_node > 1:
        first_of_nodes = range(0, mesh.processes, mesh.processes_per_node)
        group: Any = dist.new_group(list(first_of_nodes))  # what it gives to ranks outside is no group
        found += _times("nodes", first_of_nodes, group, context, control)
    return found


def _times(
    name: Group, ranks: range, group: dist.ProcessGroup | None, context: Context, control: Control
) -> list[AllReduce]:
    found: list[AllReduce] = []
    for size in SIZES:
        message = torch.zeros(size // 4, device=context.device)
        member = context.rank in ranks

        def sample(times: int, message: Tensor = message, member: bool = member) -> float:
            """Seconds of one sum, mean over so many: the slowest rank's."""
            control.barrier()
            begin = perf_counter_ns()
            for _ in range(times if member else 0):
                dist.all_reduce(message, group=group)
            if message.device.type == "cuda":
                torch.cuda.synchronize(message.device)
            own_s = (perf_counter_ns() - begin) / 1e9 / times
            return float(control.gather(torch.tensor([own_s if member else 0.0], dtype=torch.float64)).max())

        sample(1)
        once_s = sample(1)
        if REPEATS * once_s > MOST_S and found:
            break
        times = max(1, round(SAMPLE_S / once_s))
        time_s = [sample(times) for _ in range(REPEATS)]
        found.append(AllReduce(group=name, ranks=len(ranks), bytes=size, time_s=time_s))
    return found

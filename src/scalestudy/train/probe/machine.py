"""Ceilings of a device that no training reaches: arithmetic, memory, and the way from the host to a GPU."""

from collections.abc import Callable

import torch

from scalestudy.records.probe import Work
from scalestudy.train.context import Context
from scalestudy.train.probe.throughput import Piece, Works

SIDE = {"cpu": 1024, "cuda": 8192}
"""Rows and columns of the matrices."""
COPIED = {"cpu": 1 << 27, "cuda": 1 << 30}
"""Bytes of a copy within memory: more than caches hold."""
SENT = 1 << 27
"""Bytes of a copy from the host to a GPU."""


def machine_works(context: Context) -> list[Callable[[], Works]]:
    """What makes each kind of work; only one is in memory at a time."""
    makers: dict[Work, Callable[[torch.device], Piece]] = {"matmul": _matmul, "memory": _memory}
    if context.device.type == "cuda":
        makers["host_to_device"] = _host_to_device
    return [lambda work=work, make=make: _works(work, make(context.device)) for work, make in makers.items()]  # type: ignore[misc]


def _works(work: Work, piece: Piece) -> Works:
    return Works(work, alone=piece, together=piece)


def _matmul(device: torch.device) -> Piece:
    """2 n^3 operations for two matrices of n rows and columns."""
    side = SIDE[device.type]
    left, right = torch.rand(side, side, device=device), torch.rand(side, side, device=device)
    product = torch.empty_like(left)

    def do() -> None:
        torch.mm(left, right, out=product)

    return Piece(do, 2.0 * side**3)


def _memory(device: torch.device) -> Piece:
    """Every byte is read once and written once."""
    source = torch.zeros(COPIED[device.type] // 4, device=device)
    target = torch.zeros_like(source)

    def do() -> None:
        target.copy_(source)

    return Piece(do, 2.0 * COPIED[device.type])


def _host_to_device(device: torch.device) -> Piece:
    source = torch.zeros(SENT // 4).pin_memory()
    target = torch.zeros(SENT // 4, device=device)

    def do() -> None:
        target.copy_(source, non_blocking=True)

    return Piece(do, float(SENT))

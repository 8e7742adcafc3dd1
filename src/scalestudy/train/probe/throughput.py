"""A kind of work, timed on one device alone and on all devices of a layout at once, in turn."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns

import torch

from scalestudy.records.probe import Throughput, Work
from scalestudy.train.context import Context
from scalestudy.train.control import Control
from scalestudy.train.cuda_graph import USUAL_STEPS

REPEATS = 5
REPEAT_S = 0.2
"""How long a repeat takes, about."""


@dataclass(frozen=True)
class Piece:
    """A piece of work of one device."""

    do: Callable[[], None]
    amount: float
    """What it does, in the units of its kind (records/probe.py)."""


@dataclass(frozen=True)
class Works:
    """A kind of work, as it is done alone and as each device does it when all work."""

    work: Work
    alone: Piece
    together: Piece
    workload: str = ""
    batch_size: int = 0
    alone_batch_size: int = 0


def in_turn(works: Works, context: Context, control: Control) -> Throughput:
    """Time it. All ranks together; while the first works alone the others wait in a barrier, which takes no core."""
    first = context.rank == 0
    times = _pieces_of_a_repeat(works, context, control)
    alone_s: list[float] = []
    together_s: list[list[float]] = []
    for repeat in range(REPEATS):
        for together in (repeat % 2 == 0, repeat % 2 == 1):
            piece = works.together if together else works.alone
            control.barrier()
            own_s = _seconds(piece, times, context.device) if together or first else 0.0
            everyone = control.gather(torch.tensor([own_s], dtype=torch.float64)).flatten().tolist()
            if together:
                together_s.append(everyone)
            else:
                alone_s.append(everyone[0])
    return Throughput(
        work=works.work,
        workload=works.workload,
        batch_size=works.batch_size,
        alone_batch_size=works.alone_batch_size,
        amount=works.together.amount * times,
        alone_amount=works.alone.amount * times,
        alone_s=alone_s,
        together_s=together_s,
    )


def _pieces_of_a_repeat(works: Works, context: Context, control: Control) -> int:
    """So many that a repeat takes about REPEAT_S; the first pieces of each kind are thrown away."""
    first = USUAL_STEPS + 2 if context.device.type == "cuda" else 2  # on a GPU until the step is captured
    for piece in (works.alone, works.together):
        _seconds(piece, first, context.device)
    own_s = _seconds(works.alone, 1, context.device)
    piece_s = float(control.gather(torch.tensor([own_s], dtype=torch.float64)).max())
    return max(1, round(REPEAT_S / piece_s))


def _seconds(piece: Piece, times: int, device: torch.device) -> float:
    _synchronize(device)
    begin = perf_counter_ns()
    for _ in range(times):
        piece.do()
    _synchronize(device)
    return (perf_counter_ns() - begin) / 1e9


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)

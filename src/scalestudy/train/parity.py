"""Whether every strategy computes what serial training computes: in float64, step by step, on this machine.

The reference is a plain loop in one process over the same shares, each with batch-norm buffers of its own, as
DataParallel and DDP have them; for networks without batch norm also the plain loop over whole batches.
"""

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from scalestudy.errors import StudyError
from scalestudy.records.parity import GRADIENT_TOLERANCE, PARAMETER_TOLERANCE, ParityRow
from scalestudy.spec.run import Run
from scalestudy.train.mesh import Mesh
from scalestudy.train.optimizer import make_optimizer
from scalestudy.train.strategies.base import Batches, Strategy

STEPS = 10
NEGLIGIBLE = 1e-6
"""A gradient that is a smaller part of the whole may be rounding alone: that of a bias before batch norm is zero, comes
out as 1e-17 of the whole, and Adam makes steps of it. Above it, the error of a tensor was 1.3e-14 at most."""
Shares = Literal["even", "uneven"]
Reference = Literal["shards", "full_batch"]


def batch_sizes(mesh: Mesh, shares: Shares, images: int, least: int = 0) -> list[int]:
    """Images of each step: equal shares, or every step another size, with shares that differ and empty ones.

    A step has up to 4 images per device, fewer where there are not so many images. ``least``: the fewest that every
    device must have, for models that cannot do with less; 0: none. Raises StudyError when there are too few images.
    """
    per_device = min(max(4, least + 2), images // (mesh.devices * STEPS))
    if per_device < max(1, least):
        needed = mesh.devices * STEPS * max(1, least)
        raise StudyError(f"the parity check on {mesh.devices} devices needs {needed} images; found {images}")
    even = mesh.devices * per_device
    if shares == "even":
        return [even] * STEPS
    fewest = max(1, mesh.devices * least)
    cycle = max(1, even - fewest)
    low = max(fewest, mesh.devices - 1)
    return [max(fewest, even - 1 - step % cycle) if step % 3 else low for step in range(STEPS)]


@dataclass(frozen=True)
class Trace:
    """What a training did: gradients of every step and the parameters after the last."""

    gradients: list[list[Tensor]]
    parameters: list[Tensor]


def trace_strategy(strategy: Strategy, batches: Batches, sizes: Sequence[int]) -> Trace:
    """Train the steps with a strategy, as the trainer does. All ranks together; the trace is whole on every rank."""
    spec = strategy.context.run.workload.optimizer
    optimizer = make_optimizer(spec, strategy.parameters(), strategy.fused_optimizer)
    clock = strategy.host_clock()
    clock.start_epoch()
    gradients = []
    for start, stop in _positions(sizes):
        clock.start_step()
        strategy.step(optimizer, batches, start, stop, clock)
        gradients.append([tensor.clone() for tensor in strategy.full_tensors(_gradients(strategy.parameters()))])
    return Trace(gradients, [tensor.clone() for tensor in strategy.full_tensors(strategy.parameters())])


def trace_reference(
    run: Run, model: nn.Module, batches: Batches, mesh: Mesh, sizes: Sequence[int], reference: Reference
) -> Trace:
    """Train the same steps in a plain loop over the shares, or over whole batches."""
    shards = mesh.devices if reference == "shards" else 1
    replicas = [model] + [_replica(model) for _ in range(shards - 1)]
    parameters = list(model.parameters())
    optimizer = make_optimizer(run.workload.optimizer, parameters, fused=False)
    gradients = []
    for start, stop in _positions(sizes):
        optimizer.zero_grad()
        for number, replica in enumerate(replicas):
            first, last = mesh.share(stop - start, number) if shards > 1 else (0, stop - start)
            for piece in _pieces(start + first, start + last, run.workload.accumulate):
                images, labels = batches.batch(*piece)
                loss = functional.cross_entropy(replica(images), labels, reduction="sum") / (stop - start)
                loss.backward()  # type: ignore[no-untyped-call]
        gradients.append([gradient.clone() for gradient in _gradients(parameters)])
        optimizer.step()
    return Trace(gradients, [parameter.detach().clone() for parameter in parameters])


def _gradients(parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    """The gradients; an optimizer leaves them as they are. Zero where a device had nothing to do."""
    return [parameter.grad if parameter.grad is not None else torch.zeros_like(parameter) for parameter in parameters]


def _replica(model: nn.Module) -> nn.Module:
    """A copy with the same parameters and other buffers, made without the code that is under test."""
    replica = copy.deepcopy(model)
    for name, parameter in list(model.named_parameters(remove_duplicate=False)):  # tied ones have several names
        owner, _, own = name.rpartition(".")
        setattr(replica.get_submodule(owner), own, parameter)
    return replica


def _positions(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    start = 0
    for size in sizes:
        yield start, start + size
        start += size


def _pieces(start: int, stop: int, count: int) -> Iterator[tuple[int, int]]:
    """Neighboring pieces as gradient accumulation makes them."""
    size = stop - start
    count = min(count, size)
    for piece in range(count):
        yield start + size * piece // count, start + size * (piece + 1) // count


def relative_error(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """``|found - expected| / |expected|`` in the 2-norm over all tensors; infinite where a number is not finite."""
    difference = sum(float(((f.cpu() - e.cpu()) ** 2).sum()) for f, e in zip(found, expected, strict=True))
    size = sum(float((e.cpu() ** 2).sum()) for e in expected)
    error = (difference**0.5) / (size**0.5) if size else difference**0.5
    return error if math.isfinite(error) else math.inf


def worst_error(found: Sequence[Tensor], expected: Sequence[Tensor], apart: Sequence[int]) -> float:
    """The relative error over all tensors, or that of one of those ``apart``, which a small tensor cannot hide in."""
    alone = (relative_error(found[place : place + 1], expected[place : place + 1]) for place in apart)
    return max(relative_error(found, expected), *alone)


def not_negligible(gradients: Sequence[Tensor]) -> list[int]:
    """Which gradients have a norm that is more than NEGLIGIBLE of that of all together."""
    sizes = [float(gradient.cpu().norm()) for gradient in gradients]
    least = NEGLIGIBLE * math.hypot(*sizes)
    return [place for place, size in enumerate(sizes) if size > least]


def compare(
    run: Run, strategy: Strategy, found: Trace, expected: Trace, reference: Reference, shares: Shares
) -> ParityRow:
    """One row of the table."""
    apart = [not_negligible(right) for right in expected.gradients]
    gradient_error = max(
        worst_error(step, right, places)
        for step, right, places in zip(found.gradients, expected.gradients, apart, strict=True)
    )
    moved = sorted({place for places in apart for place in places})
    parameter_error = worst_error(found.parameters, expected.parameters, moved)
    return ParityRow(
        workload=run.cell.workload,
        strategy=run.cell.variant,
        nodes=run.cell.nodes,
        devices=run.cell.devices,
        reference=reference,
        shares=shares,
        implementation=strategy.implementation,
        steps=len(found.gradients),
        gradient_error=gradient_error,
        parameter_error=parameter_error,
        passed=gradient_error <= GRADIENT_TOLERANCE and parameter_error <= PARAMETER_TOLERANCE,
    )

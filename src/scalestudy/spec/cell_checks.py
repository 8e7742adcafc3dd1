"""What a cell asks of batch, data and devices, and cannot have: one small function per rule, all listed in RULES."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from scalestudy.spec.catalog import STRATEGIES
from scalestudy.spec.config import StrategyEntry
from scalestudy.spec.data_sizes import train_images
from scalestudy.spec.layouts import Machine
from scalestudy.spec.messages import Key, Problem
from scalestudy.spec.run import Cell
from scalestudy.spec.workload import Workload


@dataclass(frozen=True)
class _Asked:
    """A cell with all that it was planned from."""

    cell: Cell
    workload: Workload
    entry: StrategyEntry
    machine: Machine
    layout_key: Key
    """Of the layout in the configuration."""

    @property
    def key(self) -> Key:
        """Of the workload."""
        return "workloads", self.cell.workload

    @property
    def where(self) -> str:
        """The cell in words."""
        cell = self.cell
        return f"{cell.variant} on {cell.devices} device{'s' * (cell.devices > 1)} under {cell.scaling} scaling"

    @property
    def sharing(self) -> int:
        """Devices that share the workload's ``batch_size``; other scalings have one for each device."""
        return self.cell.devices if self.cell.scaling == "strong" else 1

    @property
    def global_batch(self) -> int:
        """Images per update."""
        return self.workload.batch_size * self.cell.devices // self.sharing

    @property
    def images(self) -> int | None:
        """Training images of an epoch; None for a user's own data set."""
        if self.cell.scaling == "weak":
            return (self.workload.weak_samples or 0) * self.cell.devices
        return self.workload.data.train or train_images(self.workload.data)


def cell_problems(
    cell: Cell, workload: Workload, entry: StrategyEntry, machine: Machine, layout_key: Key
) -> Iterator[Problem]:
    """Everything that the rules find."""
    asked = _Asked(cell, workload, entry, machine, layout_key)
    for rule in RULES:
        yield from rule(asked)


def _shares(asked: _Asked) -> Iterator[Problem]:
    """Every device needs an image of each batch, and as many as its share is split into."""
    batch, devices = asked.workload.batch_size, asked.sharing
    if batch < devices:
        right = f"must be at least {devices}, one image per device for {asked.where}"
        yield Problem((*asked.key, "batch_size"), f"found {batch}; {right}")
    elif asked.workload.accumulate > batch // devices:
        right = f"must be at most {batch // devices}, the smallest share of a batch for {asked.where}"
        yield Problem((*asked.key, "accumulate"), f"found {asked.workload.accumulate}; {right}")


def _sizes(asked: _Asked) -> Iterator[Problem]:
    """The data set must have the images of an epoch, and an epoch at least one whole batch."""
    workload, cell = asked.workload, asked.cell
    if cell.scaling == "weak":
        per_device = workload.weak_samples or 0
        there = workload.data.train or train_images(workload.data)
        if there and per_device * cell.devices > there:
            right = f"must be at most {there // cell.devices}, since {asked.where} share the {there} training images"
            yield Problem((*asked.key, "weak_samples"), f"found {per_device}; {right}")
        elif workload.batch_size > per_device:
            right = f"must be at most weak_samples ({per_device}), the training images per device"
            yield Problem((*asked.key, "batch_size"), f"found {workload.batch_size}; {right}")
    elif asked.images and asked.global_batch > asked.images:
        most = asked.images // (asked.global_batch // workload.batch_size)
        right = f"must be at most {most} for {asked.where}, since an epoch has {asked.images} training images"
        yield Problem((*asked.key, "batch_size"), f"found {workload.batch_size}; {right}")


def _synchronized(asked: _Asked) -> Iterator[Problem]:
    """Torch has synchronized batch norm for GPUs; a device without images has nothing to add to its statistics."""
    workload, devices = asked.workload, asked.cell.devices
    if not workload.sync_batch_norm:
        return
    if asked.machine.device == "cpu":
        text = "found true on CPU devices; must be false, torch has it for GPUs"
        yield Problem((*asked.key, "sync_batch_norm"), text)
    elif asked.images and 0 < (last := asked.images % asked.global_batch) < devices:
        found = f"found {workload.batch_size}, so that the last of {asked.images} images make a batch of {last}"
        right = f"must leave none or at least {devices}, one per device, with sync_batch_norm for {asked.where}"
        yield Problem((*asked.key, "batch_size"), f"{found}; {right}")


def _compiled(asked: _Asked) -> Iterator[Problem]:
    """Copies that nn.DataParallel makes of a compiled model would call the code of the original."""
    several = asked.cell.devices_per_node > 1 and STRATEGIES[asked.cell.strategy].processes != "per_device"
    if asked.machine.device == "cuda" and several and asked.workload.compile:
        right = f"must be false, or the study without {asked.where}: nn.DataParallel cannot copy a compiled model"
        yield Problem((*asked.key, "compile"), f"found true; {right}")


def _communication(asked: _Asked) -> Iterator[Problem]:
    """Each way has devices that it is for."""
    found, device = asked.entry.options.get("communication"), asked.machine.device
    key = (*asked.layout_key[:-2], "options", "communication")
    if device == "cpu" and found == "nccl":
        yield Problem(key, "found nccl on CPU devices; must be auto, gloo or shared_memory")
    if device == "cuda" and found in ("shared_memory", "gloo"):
        yield Problem(key, f"found {found} on GPUs; must be auto or nccl")
    if found == "shared_memory" and asked.cell.nodes > 1:
        text = f"found shared_memory for layout {asked.cell.layout}; must be auto or gloo, since nodes share no memory"
        yield Problem(key, text)


def _planned_ahead(asked: _Asked) -> Iterator[Problem]:
    """Torch's reducer fails an assertion when the passes that it plans ahead for do not all end in a reduction."""
    if asked.entry.options.get("static_graph") and asked.workload.accumulate > 1:
        found = f"found true with workloads.{asked.cell.workload}.accumulate {asked.workload.accumulate}"
        right = "must be false or left out: torch cannot plan ahead for accumulated passes"
        yield Problem((*asked.layout_key[:-2], "options", "static_graph"), f"{found}; {right}")


RULES: tuple[Callable[[_Asked], Iterator[Problem]], ...] = (
    _shares,
    _sizes,
    _synchronized,
    _compiled,
    _communication,
    _planned_ahead,
)

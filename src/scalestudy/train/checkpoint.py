"""Resumable state of a run: whole or absent, on every rank or on none.

Each rank writes its part into a folder named after epoch and step; when all have, rank 0 points ``latest`` at it by a
rename. A rank that holds nothing of its own (all but rank 0, unless parameters are sharded) saves its progress and
random state only.
"""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from scalestudy.errors import StudyError
from scalestudy.records.files import write_bytes, write_text
from scalestudy.train.control import Control
from scalestudy.train.strategies.base import Strategy

Tree = Any


@dataclass
class Checkpoints:
    """The checkpoints of one run, as one rank sees them."""

    folder: Path
    digest: str
    """Of the run: state of another specification is not taken up."""
    rank: int
    control: Control

    def save(self, name: str, strategy: Strategy, optimizer: Optimizer, progress: dict[str, Tree]) -> None:
        """Save the state under a name that no earlier state has, then forget the earlier ones. All ranks together."""
        state: dict[str, Tree] = {"progress": progress, "random": _random_state(strategy)}
        if self.rank == 0 or not strategy.owns_full_state:
            state["model"] = [_plain(tensor) for tensor in _model_tensors(strategy)]
            state["optimizer"] = _map(_plain, optimizer.state_dict())
        buffer = BytesIO()
        torch.save(state, buffer)
        write_bytes(self.folder / name / f"rank{self.rank}.pt", buffer.getvalue())
        self.control.barrier()
        if self.rank == 0:
            write_text(self.folder / "latest", f"{name}\n{self.digest}\n")
            for old in self.folder.iterdir():
                if old.is_dir() and old.name != name:
                    shutil.rmtree(old, ignore_errors=True)

    def load(self, strategy: Strategy, optimizer: Optimizer) -> dict[str, Tree] | None:
        """Take up the latest state; None where there is none of this specification.

        Raises StudyError when a file that ``latest`` points at is missing or damaged.
        """
        pointer = self.folder / "latest"
        if not pointer.exists():
            return None
        try:
            name, digest = pointer.read_text().split()
        except (OSError, ValueError) as error:
            raise _unreadable(pointer, self.folder, error) from error
        if digest != self.digest:
            return None
        own = _read(self.folder / name / f"rank{self.rank}.pt")
        whole = own if "model" in own else _read(self.folder / name / "rank0.pt")
        with torch.no_grad():
            for target, value in zip(_model_tensors(strategy), whole["model"], strict=True):
                _plain(target).copy_(value)
        optimizer.load_state_dict(_like_parameters(whole["optimizer"], strategy))
        torch.set_rng_state(own["random"]["cpu"])
        for device, state in zip(_gpus(strategy), own["random"]["cuda"], strict=True):
            torch.cuda.set_rng_state(state, device)
        progress: dict[str, Tree] = own["progress"]
        return progress

    def remove(self) -> None:
        """Forget all state, when the run's result is written; first that there is any, if it is killed on the way."""
        if self.rank == 0:
            with suppress(OSError):
                (self.folder / "latest").unlink()
            shutil.rmtree(self.folder, ignore_errors=True)


def _read(path: Path) -> dict[str, Tree]:
    try:
        state: dict[str, Tree] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise _unreadable(path, path.parent.parent, error) from error
    return state


def _unreadable(path: Path, folder: Path, error: Exception) -> StudyError:
    again = f"delete {folder} to train the run anew"
    return StudyError(f"{path}: checkpoint cannot be read ({type(error).__name__}); {again}")


def _model_tensors(strategy: Strategy) -> list[Tensor]:
    return [*strategy.parameters(), *strategy.plain.buffers()]


def _gpus(strategy: Strategy) -> list[torch.device]:
    return [device for device in strategy.context.devices if device.type == "cuda"]


def _random_state(strategy: Strategy) -> dict[str, Tree]:
    return {"cpu": torch.get_rng_state(), "cuda": [torch.cuda.get_rng_state(gpu) for gpu in _gpus(strategy)]}


def _plain(value: Tree) -> Tree:
    """The local part of a sharded tensor; anything else as it is."""
    if isinstance(value, Tensor):
        value = value.detach()
        return value.to_local() if hasattr(value, "to_local") else value
    return value


def _like_parameters(state: dict[str, Tree], strategy: Strategy) -> dict[str, Tree]:
    """Optimizer state whose tensors are sharded as the parameters that they belong to."""
    for index, parameter in enumerate(strategy.parameters()):
        if hasattr(parameter, "placements") and index in state["state"]:
            from torch.distributed.tensor import DTensor

            assert isinstance(parameter, DTensor)
            state["state"][index] = {
                key: DTensor.from_local(
                    value, parameter.device_mesh, parameter.placements, shape=parameter.shape, stride=parameter.stride()
                )
                if isinstance(value, Tensor) and value.dim()
                else value
                for key, value in state["state"][index].items()
            }
    return state


def _map(function: Callable[[Tree], Tree], tree: Tree) -> Tree:
    if isinstance(tree, dict):
        return {key: _map(function, value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(_map(function, value) for value in tree)
    return function(tree)

"""Build a model from its name, and describe its layers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from scalestudy.errors import StudyError
from scalestudy.records.result import LayerRow
from scalestudy.spec.catalog import MODELS
from scalestudy.spec.workload import ModelSpec
from scalestudy.train.imports import call, describe, resolve, unknown

Shape = tuple[int, int, int]


def build_model(spec: ModelSpec, shape: Shape, classes: int) -> nn.Module:
    """Build the network for images of this shape (channels, height, width), its weights drawn from torch's generator.

    Raises StudyError when the name is unknown, the class cannot be imported or built, or the network does not turn
    images [B, C, H, W] into scores [B, classes].
    """
    path = _implementation(spec.name)
    model = call(resolve(path, "model.name"), path, "model.options", shape, classes, **spec.options)
    if not isinstance(model, nn.Module):
        raise StudyError(f"model.name: {path} gave a {type(model).__name__}, and should give a torch.nn.Module")
    try:
        output = _trial(model, shape)
    except Exception as error:
        raise StudyError(f"model.name: {path} fails on images of shape {list(shape)}: {describe(error)}") from error
    found = list(output.shape) if isinstance(output, Tensor) else type(output).__name__
    if found != [2, classes]:
        raise StudyError(f"model.name: {path} turns 2 images into {found}, and should give [2, {classes}]")
    return model


def layer_table(model: nn.Module, shape: Shape) -> list[LayerRow]:
    """The layers in the order in which they run, with output shapes (without the batch) and own parameters.

    Layers are the modules without children, and others that have parameters of their own. A layer that runs twice is
    listed once.
    """
    rows: dict[str, LayerRow] = {}

    def record(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, _: Any, output: Any) -> None:
            sizes = list(output.shape[1:]) if isinstance(output, Tensor) else []
            own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
            rows.setdefault(name, LayerRow(name=name, kind=kind(module), output_shape=sizes, parameters=own))

        return hook

    def kind(module: nn.Module) -> str:
        return type(module).__name__

    handles = [
        module.register_forward_hook(record(name or kind(module)))
        for name, module in model.named_modules()
        if not any(module.children()) or any(True for _ in module.parameters(recurse=False))
    ]
    try:
        _trial(model, shape)
    finally:
        for handle in handles:
            handle.remove()
    return list(rows.values())


def _implementation(name: str) -> str:
    if name in MODELS:
        return MODELS[name].implementation
    if ":" in name:
        return name
    raise unknown(name, MODELS, "model.name", "model")


def _trial(model: nn.Module, shape: Shape) -> Any:
    """What two black images give; weights, buffers and random numbers stay as they are."""
    first = next(model.parameters(), torch.empty(0))
    images = torch.zeros(2, *shape, dtype=first.dtype, device=first.device)
    with torch.no_grad(), torch.random.fork_rng(devices=[]), _evaluating(model):
        return model(images)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training

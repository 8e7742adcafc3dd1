"""What training must know of a model, whoever wrote it: found by looking at its layers, or by trying a copy of it."""

import copy

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from scalestudy.train.models.build import Shape


def has_batch_norm(model: nn.Module) -> bool:
    """Whether the model normalizes over a device's share of the batch, which makes shares differ from the whole."""
    return any(
        isinstance(module, _BatchNorm) and not isinstance(module, nn.SyncBatchNorm) for module in model.modules()
    )


def needs_two_images(model: nn.Module, shape: Shape) -> bool:
    """Whether it trains on two images and not on one, as batch norm over vectors (one value per channel) does."""
    if not any(isinstance(module, _BatchNorm) for module in model.modules()):
        return False
    try:
        _forward(model, shape, images=1)
    except ValueError:  # torch: "Expected more than 1 value per channel when training"
        return True
    return False


def unused_parameters(model: nn.Module, shape: Shape) -> int:
    """How many trainable parameters the scores of a training pass do not depend on."""
    trial, scores = _forward(model, shape, images=2)
    parameters = [parameter for parameter in trial.parameters() if parameter.requires_grad]
    if not scores.requires_grad:
        return len(parameters)
    return sum(gradient is None for gradient in torch.autograd.grad(scores.sum(), parameters, allow_unused=True))


def switch_dropout_off(model: nn.Module) -> None:
    """Make layers that drop values at random drop none."""
    for module in model.modules():
        if isinstance(module, _DropoutNd):
            module.p = 0.0
        elif isinstance(module, nn.MultiheadAttention | nn.RNNBase):
            module.dropout = 0.0


def _forward(model: nn.Module, shape: Shape, images: int) -> tuple[nn.Module, Tensor]:
    """A copy of the model and its scores of so many black images while training; random numbers stay as they are."""
    trial = copy.deepcopy(model).train()
    first = next(trial.parameters())
    black = torch.zeros(images, *shape, dtype=first.dtype, device=first.device)
    gpus = [first.device.index] if first.device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus), torch.enable_grad():
        scores: Tensor = trial(black)
    return trial, scores

"""A digest of trained weights: equal digests are bit-identical weights."""

import hashlib

import torch

from scalestudy.train.strategies.base import Strategy


def weights_digest(strategy: Strategy) -> str:
    """SHA-256 over parameters and buffers in their order, whatever their memory format. All ranks call it together."""
    whole = strategy.full_tensors([*strategy.parameters(), *strategy.plain.buffers()])
    digest = hashlib.sha256()
    for tensor in whole:
        digest.update(tensor.contiguous().cpu().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()

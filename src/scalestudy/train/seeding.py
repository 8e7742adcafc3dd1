"""Random numbers that depend on seed, epoch and rank alone, so that a resumed run draws the same ones."""

import hashlib
from collections.abc import Sequence

import torch


def seed_for(*parts: int | str) -> int:
    """A 63-bit seed from the parts; different parts give unrelated seeds."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def seed_model(seed: int) -> None:
    """Before the model is built: every strategy and rank starts from the same parameters."""
    torch.manual_seed(seed_for("model", seed))


def seed_epoch(seed: int, epoch: int, rank: int, devices: Sequence[torch.device] = ()) -> None:
    """At the start of an epoch, for layers that draw (dropout); each further GPU of the process draws otherwise."""
    torch.manual_seed(seed_for("epoch", seed, epoch, rank))
    for place, device in enumerate(devices[1:], start=1):
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed_for("epoch", seed, epoch, rank, place))

"""What the benchmarks train: the two networks of the course report on synthetic images, and a tiny one."""

from pathlib import Path

import torch
from torch import Tensor, nn

from scalestudy.spec.run import Cell, Run
from scalestudy.spec.workload import DataSpec, ModelSpec, OptimizerSpec, Workload
from scalestudy.train.data.stage import prepare

STEPS = {"cifar": 14, "mnist": 24, "tiny": 150}
"""Steps of one block: about half a second on one core, and 0.05 s with the tiny model, whose blocks take many turns."""
TEST_IMAGES = 50


class Tiny(nn.Sequential):
    """One linear layer: a step of it is nearly all overhead."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], classes))


def _synthetic(shape: list[int], train: int, augment: bool = False) -> DataSpec:
    options = {"shape": shape, "classes": 10, "train": train, "test": TEST_IMAGES}
    return DataSpec(name="synthetic", options=options, augment="crop_flip" if augment else "none")


def workload(name: str, batch: int = 64) -> Workload:
    """A workload by name, with images for a block of ``STEPS`` on two devices."""
    train = 2 * batch * STEPS[name]
    if name == "cifar":
        return Workload(
            data=_synthetic([3, 32, 32], train, augment=True),
            model=ModelSpec(name="cifar_cnn"),
            optimizer=OptimizerSpec(name="sgd", lr=0.01, momentum=0.9),
            batch_size=batch,
            epochs=1,
            untimed_epochs=0,
            memory_format="channels_last",
        )
    tiny = name == "tiny"
    return Workload(
        data=_synthetic([1, 4, 4] if tiny else [1, 28, 28], train),
        model=ModelSpec(name="workloads:Tiny" if tiny else "mnist_cnn"),
        optimizer=OptimizerSpec(name="sgd", lr=0.01) if tiny else OptimizerSpec(name="adam", lr=0.001),
        batch_size=batch,
        epochs=1,
        untimed_epochs=0,
    )


def make_run(
    name: str,
    storage: Path,
    strategy: str = "serial",
    devices: int = 1,
    batch: int = 64,
    cores_per_device: int = 1,
    options: dict[str, object] | None = None,
    nodes: int = 1,
) -> Run:
    """A run of one epoch of ``STEPS`` steps on so many devices per node; its data set is prepared on the way."""
    whole = workload(name, batch)
    folder = prepare(whole.data, storage, download=False)
    data = whole.data.model_copy(update={"train": STEPS[name] * batch * devices * nodes})
    return Run(
        study="benchmark",
        cell=Cell(workload=name, scaling="epoch", strategy=strategy, nodes=nodes, devices_per_node=devices),
        seed=1,
        workload=whole.model_copy(update={"data": data}),
        strategy_options=options or {},
        device="cpu",
        cores_per_device=cores_per_device,
        oversubscribed=False,
        data_folder=str(folder),
    )


def keep(tensors: list[Tensor]) -> list[Tensor]:
    """Copies of tensors, to put back with ``restore``."""
    return [tensor.detach().clone() for tensor in tensors]


def restore(tensors: list[Tensor], kept: list[Tensor]) -> None:
    """Put kept values back, so that every block starts from the same weights."""
    with torch.no_grad():
        for tensor, value in zip(tensors, kept, strict=True):
            tensor.copy_(value)

"""What can be named in config.yaml: strategies, models, data sets. One entry adds one.

The tables hold facts and an import path; the implementation is imported only by the process that trains, since it
needs torch. A user's own model or data set needs no entry: it is named by its import path.
"""

from dataclasses import dataclass
from typing import Literal

from scalestudy.spec.options import DDPOptions, SerialOptions, SyntheticOptions


@dataclass(frozen=True)
class StrategyFacts:
    """What is known about a strategy without importing it."""

    title: str
    """How tables and figures call it."""
    implementation: str
    """Import path of the class, ``module:Name``."""
    processes: Literal["one", "per_node", "per_device"]
    """How many ranks a run has: one, one per node, or one per device."""
    layout: Literal["single", "one_node", "any"]
    """Which nodes x devices it can use: 1x1 only, one node only, or any (of two ranks or more)."""
    replicated: str
    """What each device holds, for the report."""
    exchanged: str
    """What is exchanged per step, for the report."""
    both_axes: bool = False
    """Whether it works differently along the nodes and the devices of the mesh."""
    options: tuple[str, ...] = ()
    """Keys that its entry in config.yaml may have under ``options``."""
    title_on_cpus: str = ""
    """How tables and figures call it there, where something else runs than its title names; empty: the same."""

    def title_on(self, device: Literal["cpu", "cuda"]) -> str:
        """How tables and figures call it on these devices."""
        return (self.title_on_cpus or self.title) if device == "cpu" else self.title


STRATEGIES: dict[str, StrategyFacts] = {
    "serial": StrategyFacts(
        title="Serial",
        implementation="scalestudy.train.strategies.serial:Serial",
        processes="one",
        layout="single",
        replicated="One process, one device.",
        exchanged="Nothing.",
        options=tuple(SerialOptions.model_fields),
    ),
    "data_parallel": StrategyFacts(
        title="DataParallel",
        implementation="scalestudy.train.strategies.data_parallel:DataParallel",
        processes="one",
        layout="one_node",
        replicated="One process drives all devices of a node. On GPUs nn.DataParallel; on CPU devices its "
        "shared-memory twin: one thread per device, parameters shared, batch-norm buffers per device.",
        exchanged="Gradients, summed in the process in fixed order; on GPUs also weights and outputs in every step.",
        title_on_cpus="DataParallel twin",  # nn.DataParallel does nothing there
    ),
    "ddp": StrategyFacts(
        title="DDP",
        implementation="scalestudy.train.strategies.ddp:DDP",
        processes="per_device",
        layout="any",
        replicated="One process per device, each with the whole model (DistributedDataParallel).",
        exchanged="Gradients, all-reduced in buckets while the backward pass runs.",
        options=tuple(DDPOptions.model_fields),
    ),
    "hybrid": StrategyFacts(
        title="Hybrid",
        implementation="scalestudy.train.strategies.hybrid:Hybrid",
        processes="per_node",
        layout="any",
        replicated="One process per node, which drives its devices as DataParallel does.",
        exchanged="Gradients: summed inside the process, then all-reduced between the nodes' processes.",
        both_axes=True,
    ),
    "hsdp": StrategyFacts(
        title="HSDP",
        implementation="scalestudy.train.strategies.hsdp:HSDP",
        processes="per_device",
        layout="any",
        replicated="One process per device; parameters, gradients and optimizer state are sharded over the devices of "
        "a node and replicated across nodes (FSDP2).",
        exchanged="Parameters gathered and gradients reduce-scattered within a node, gradients all-reduced across "
        "nodes.",
        both_axes=True,
    ),
}


def called(title: str, label: str | None) -> str:
    """How tables, sentences and plans call an entry: ``DDP``, or with a label ``DDP (ddp_fp16)``."""
    return f"{title} ({label})" if label else title


@dataclass(frozen=True)
class ModelFacts:
    """What is known about a model without importing it."""

    title: str
    implementation: str
    """Import path of a callable ``(shape, classes, **options) -> nn.Module``."""
    options: tuple[str, ...] = ()


MODELS: dict[str, ModelFacts] = {
    "mnist_cnn": ModelFacts(title="MNIST CNN", implementation="scalestudy.train.models.mnist_cnn:MnistCNN"),
    "cifar_cnn": ModelFacts(title="CIFAR CNN", implementation="scalestudy.train.models.cifar_cnn:CifarCNN"),
}


@dataclass(frozen=True)
class DatasetFacts:
    """What is known about a data set without reading it."""

    title: str
    implementation: str
    """Import path of a callable ``(folder, download, **options) -> Arrays`` (see train/data/arrays.py)."""
    shape: tuple[int, int, int]
    """Channels, height, width of an image."""
    classes: int
    train: int
    """Training images."""
    test: int
    """Test images."""
    synthetic: bool = False
    options: tuple[str, ...] = ()


_TORCHVISION = "scalestudy.train.data.torchvision_sets"

DATASETS: dict[str, DatasetFacts] = {
    "fashion_mnist_subset": DatasetFacts(
        title="Fashion-MNIST, subset",
        implementation="scalestudy.train.data.fashion_subset:load",
        shape=(1, 28, 28),
        classes=10,
        train=6000,
        test=2000,
    ),
    "mnist": DatasetFacts("MNIST", f"{_TORCHVISION}:mnist", (1, 28, 28), 10, 60_000, 10_000),
    "fashion_mnist": DatasetFacts("Fashion-MNIST", f"{_TORCHVISION}:fashion_mnist", (1, 28, 28), 10, 60_000, 10_000),
    "cifar10": DatasetFacts("CIFAR-10", f"{_TORCHVISION}:cifar10", (3, 32, 32), 10, 50_000, 10_000),
    "cifar100": DatasetFacts("CIFAR-100", f"{_TORCHVISION}:cifar100", (3, 32, 32), 100, 50_000, 10_000),
    "synthetic": DatasetFacts(
        title="Synthetic",
        implementation="scalestudy.train.data.synthetic:load",
        shape=(3, 32, 32),
        classes=10,
        train=50_000,
        test=10_000,
        synthetic=True,
        options=tuple(SyntheticOptions.model_fields),
    ),
}

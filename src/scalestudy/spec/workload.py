"""A workload: what is trained."""

from typing import Annotated, Any, Literal

from pydantic import Field

from scalestudy.spec.base import Flag, Number, PositiveInt, SpecModel

Options = dict[str, Any]


class DataSpec(SpecModel):
    """A data set: a name from the catalog, or an import path ``package.module:Name``."""

    name: str = Field(min_length=1)
    """A data set that scalestudy knows, or an import path ``package.module:Name``."""
    options: Options = {}
    """Arguments of the loader, for instance shape and size of ``synthetic``."""
    train: PositiveInt | None = None
    """Use only the first so many training images (left out: all)."""
    test: PositiveInt | None = None
    """Use only the first so many test images (left out: all)."""
    augment: Literal["none", "crop_flip"] = "none"
    """``crop_flip``: random crop after padding by 4, and random horizontal flip."""


class ModelSpec(SpecModel):
    """A model: a name from the catalog, or an import path ``package.module:Name``."""

    name: str = Field(min_length=1)
    """A model that scalestudy knows, or an import path ``package.module:Name``."""
    options: Options = {}
    """Arguments of the model."""


class OptimizerSpec(SpecModel):
    """The optimizer and its settings at the base's batch size."""

    name: Literal["adam", "sgd"]
    """``adam`` or ``sgd``."""
    lr: Number = Field(gt=0)
    """Learning rate."""
    momentum: Number = Field(default=0.0, ge=0, lt=1)
    """SGD only."""
    weight_decay: Number = Field(default=0.0, ge=0)
    """L2 penalty on the weights."""


class Workload(SpecModel):
    """What is trained: data set, model, optimizer, batch size, epochs."""

    title: str = ""
    """How the report calls it; empty: the model's and the data set's titles."""
    data: DataSpec
    """The data set that it trains on."""
    model: ModelSpec
    """The network."""
    optimizer: OptimizerSpec
    """The optimizer with its learning rate."""
    batch_size: PositiveInt = 64
    """Images per update of the base (strong scaling keeps it for all devices together, epoch and weak scaling per
    device)."""
    epochs: PositiveInt
    """Passes over the training images."""
    memory_format: Literal["contiguous", "channels_last"] = "contiguous"
    """Layout of images and convolution weights; measure it, it belongs to the model."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """``bfloat16``: automatic mixed precision."""
    compile: Flag = False
    """Compile the model with torch.compile (compilation is timed apart)."""
    sync_batch_norm: Flag = False
    """Batch statistics over all devices (GPUs, one process per device)."""
    accumulate: PositiveInt = 1
    """Split each device's share of a batch into so many backward passes before one update."""
    lr_scaling: Literal["none", "linear", "sqrt"] = "none"
    """How the learning rate grows with the global batch over the base's."""
    warmup_epochs: Number = Field(default=0.0, ge=0)
    """Epochs over which the learning rate rises linearly to its value."""
    untimed_epochs: Annotated[int, Field(ge=0, strict=True)] = 1
    """First epochs that are trained, recorded and shown, but do not enter the epoch time."""
    weak_samples: PositiveInt | None = None
    """Training images per device under weak scaling (needed there)."""

"""Options of what the catalog names: one small model per strategy, model or data set that has any."""

from typing import Annotated, Any, Literal

from pydantic import Field

from scalestudy.spec.base import Flag, Number, PositiveInt, SpecModel


class NoOptions(SpecModel):
    """For what has no options: any key is unknown."""


class SerialOptions(SpecModel):
    """Options of the strategy ``serial``."""

    cuda_graph: Flag = True
    """On a GPU, capture the training step once and launch it whole; its phases are then not measured."""


class DDPOptions(SpecModel):
    """Options of the strategy ``ddp``."""

    bucket_mb: Annotated[Number, Field(gt=0)] | None = None
    """Size of a gradient bucket in MiB; left out: as torch chooses."""
    gradient_as_bucket_view: Flag = True
    """Let gradients share the buckets' memory."""
    static_graph: Flag | None = None
    """Tell DistributedDataParallel that every step is alike; left out: where nothing is accumulated."""
    communication: Literal["auto", "gloo", "nccl", "shared_memory"] = "auto"
    """What carries the gradients."""
    compression: Literal["none", "fp16", "bf16", "powersgd"] = "none"
    """Gradient-compression hook. With ``powersgd``, whose memory is not saved, an interrupted run starts anew."""


class SyntheticOptions(SpecModel):
    """Options of the data set ``synthetic``."""

    shape: Annotated[list[PositiveInt], Field(min_length=3, max_length=3)] = [3, 32, 32]
    """Channels, height, width of an image."""
    classes: Annotated[int, Field(ge=2, strict=True)] = 10
    """Number of classes."""
    train: PositiveInt = 50_000
    """Training images."""
    test: PositiveInt = 10_000
    """Test images."""
    noise: Number = Field(default=0.35, ge=0)
    """Noise around each class's pattern, relative to half the mean distance of two: 0.3 is easy, 0.7 is hard."""


STRATEGY_OPTIONS: dict[str, type[SpecModel]] = {"serial": SerialOptions, "ddp": DDPOptions}
DATASET_OPTIONS: dict[str, type[SpecModel]] = {"synthetic": SyntheticOptions}
MODEL_OPTIONS: dict[str, type[SpecModel]] = {}
"""Name in the catalog to the model of its options; without an entry: none."""


def show_option(value: object) -> str:
    """The value of an option in a few letters, as config.yaml has it; ``auto`` where it is left to the program."""
    if value is None:
        return "auto"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def settings_of(strategy: str, options: dict[str, Any]) -> dict[str, Any]:
    """Every option of a strategy with its value: the given ones, and the defaults of the others.

    Raises pydantic's ValidationError for options that the strategy does not have.
    """
    return STRATEGY_OPTIONS.get(strategy, NoOptions).model_validate(options).model_dump()

"""Adaptive repeats: how many runs a cell gets."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from scalestudy.spec.base import Number, PositiveInt, SpecModel


def _fraction(value: Any) -> Any:
    """``2%`` as 0.02; anything else as it is, for the model to judge."""
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return float(value.strip().removesuffix("%")) / 100
        except ValueError:
            return value
    return value


CONFIRMED_BELOW = 6
"""From six runs on the interval is that of order statistics, which stopping early does not narrow below its level."""

Share = Annotated[
    Number,
    BeforeValidator(_fraction),
    Field(gt=0, lt=1),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, {"type": "string"}]}),
]
"""A fraction, or the same as text in percent: 0.02 or ``2%``."""


class RepeatsSpec(SpecModel):
    """Repeat every cell until the interval of its epoch time is narrow enough."""

    min: PositiveInt = 6
    """Runs that every cell gets, with the seeds 1, 2, 3 and so on. Below 6 a cell whose interval is narrow enough gets
    one run more: stopping early favors intervals that are too narrow by chance."""
    max: PositiveInt = 15
    """Runs that no cell exceeds."""
    until_ci: Share = 0.02
    """Enough: half the 95 % interval of the epoch time over its median is at most this (``2%`` or 0.02). A run under
    foreign load above 5 % does not count and is repeated."""

    @property
    def confirms(self) -> bool:
        """Whether a cell gets one run more once its interval is narrow enough."""
        return self.min < CONFIRMED_BELOW

"""The base of every configuration model, and the scalars they share."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

PositiveInt = Annotated[int, Field(ge=1, strict=True)]
Number = Annotated[float, Field(strict=True)]
"""A finite number; neither true nor text."""
Flag = Annotated[bool, Field(strict=True)]


class SpecModel(BaseModel):
    """A frozen model that refuses keys it does not know, so that a misspelled key is an error and not a default."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), use_attribute_docstrings=True, allow_inf_nan=False
    )

"""Checked data: the base of everything that is read from a file or given as options."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class Config(BaseModel):
    """Unknown keys are errors: a misspelt option must not be ignored. `strict` keeps "32" from passing as 32."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


# YAML and JSON have lists where the code wants tuples, and whole numbers where it wants floats.
Floats3 = Annotated[tuple[float, float, float], Field(strict=False)]
Floats5 = Annotated[tuple[float, float, float, float, float], Field(strict=False)]
Integers = Annotated[tuple[int, ...], Field(strict=False)]


def first_mistake(error: ValidationError) -> str:
    """The first mistake of a file that a program wrote, in one line: its key, and what is wrong."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    return f"{key + ': ' if key else ''}{first['msg'].removeprefix('Value error, ')}"

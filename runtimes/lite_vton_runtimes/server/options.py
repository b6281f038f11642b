"""The fields of a form, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lite_vton.category import Category
from lite_vton_runtimes.server.refusals import RefusedError

__all__ = ["PhotoOptions", "TryOnOptions", "read_options"]


class PhotoOptions(BaseModel):
    """What kind of garment it is, and which person of the photo is meant; None is the largest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    category: Category = "upper"
    person_index: int | None = Field(None, ge=0, le=1000)


class TryOnOptions(PhotoOptions):
    """Where and how to sample; None is the first backend, the backend's first precision, the bundle's own."""

    backend: str | None = None
    precision: str | None = None
    steps: int | None = Field(None, ge=1, le=1000)
    sampler: str | None = None
    seed: int = Field(0, ge=0, lt=2**64)


Options = TypeVar("Options", bound=BaseModel)


def read_options(kind: type[Options], fields: Mapping[str, str]) -> Options:
    """The fields as `kind`; empty ones are as good as none. `RefusedError` ("options") names the first wrong one."""
    try:
        return kind.model_validate({name: value for name, value in fields.items() if value})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        told = str(first["input"])[:40]
        raise RefusedError("options", f"{where} is {told!r}: {first['msg'].lower()}") from error

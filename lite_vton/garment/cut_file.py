"""How a garment is cut, as a file beside its picture: what laying it flat knew, for whoever lays it on again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lite_vton.errors import UserError
from lite_vton.files.text import read_given_bytes, text_of
from lite_vton.garment.cut import Cut, SleeveCut

__all__ = ["load_cut", "save_cut"]

_Pixels = Annotated[float, Field(ge=-1e5, le=1e5, allow_inf_nan=False)]
_Size = Annotated[float, Field(gt=0, le=1e5, allow_inf_nan=False)]
_Point = tuple[_Pixels, _Pixels]


class _Sleeve(BaseModel):
    model_config = ConfigDict(extra="forbid")
    start: _Point
    end: _Point
    half: list[_Size] = Field(min_length=2, max_length=1000)
    share: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _goes_somewhere(self) -> _Sleeve:
        if self.start == self.end:
            raise ValueError("a sleeve ends where it begins")
        return self


class _CutFile(BaseModel):
    """`lite_vton.garment.cut.Cut`, rounded."""

    model_config = ConfigDict(extra="forbid")
    top: _Pixels
    unit: _Size
    rows: list[_Pixels] = Field(min_length=2, max_length=10_000)
    sides: list[_Point]
    hem: float = Field(gt=0, le=10)
    widths: tuple[_Size, _Size, _Size]
    flare: list[tuple[float, _Size]] = Field(max_length=100)
    sleeves: tuple[_Sleeve | None, _Sleeve | None]

    @model_validator(mode="after")
    def _is_a_panel(self) -> _CutFile:
        if len(self.sides) != len(self.rows) or any(left >= right for left, right in self.sides):
            raise ValueError("each row needs a left side and a right one")
        if any(below <= above for above, below in zip(self.rows, self.rows[1:], strict=False)):
            raise ValueError("rows go down")
        vs = [v for v, _ in self.flare]
        if vs != sorted(set(vs)) or (vs and not 1 < vs[0] <= vs[-1] <= 10):
            raise ValueError("flares lie one below the other, below the hips")
        return self


def save_cut(path: Path, cut: Cut) -> None:
    """`cut`, in pixels of the garment's picture, to a hundredth of a pixel."""
    content = {
        "top": round(cut.top, 2),
        "unit": cut.unit,
        "rows": _rounded(cut.rows),
        "sides": _rounded(cut.sides),
        "hem": cut.hem,
        "widths": cut.widths,
        "flare": cut.flare,
        "sleeves": [None if each is None else _told(each) for each in cut.sleeves],
    }
    path.write_text(_CutFile.model_validate(content).model_dump_json() + "\n", encoding="utf-8")


def load_cut(path: Path) -> Cut:
    """The known cut that `save_cut` wrote. `UserError` for a file that is broken."""
    try:
        read = _CutFile.model_validate_json(text_of(read_given_bytes(path, str(path)), str(path)))
    except (UserError, ValidationError) as error:
        raise UserError(f"{path} does not tell how its garment is cut: convert the dataset again") from error
    left, right = (
        None if each is None else SleeveCut(np.array(each.start), np.array(each.end), np.array(each.half), each.share)
        for each in read.sleeves
    )
    return Cut(
        read.top,
        read.unit,
        np.array(read.rows),
        np.array(read.sides),
        read.hem,
        read.widths,
        tuple(read.flare),
        (left, right),
        known=True,
    )


def _told(sleeve: SleeveCut) -> dict[str, object]:
    points = {name: _rounded(part) for name, part in vars(sleeve).items() if name != "share"}
    return {**points, "share": sleeve.share}


def _rounded(values: NDArray[np.float64]) -> list[float]:
    found: list[float] = np.round(values, 2).tolist()
    return found

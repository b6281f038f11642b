"""`lite-vton eval --sheet`: the first pairs with what each way made of them, on one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lite_vton.photo.contact_sheet import Column, contact_sheet
from lite_vton.tryon.inputs import to_picture

if TYPE_CHECKING:
    from lite_vton.data.sample import TryOnSample

__all__ = ["MOST_PAIRS", "SideBySide"]

MOST_PAIRS = 24
"""Rows on a sheet; further pairs are left out."""

_TALLEST = 256  # pixels of a tile: a sheet of a large model's pictures would be hundreds of megapixels
_GREY = np.uint8(128)
_PERSON, _GARMENT, _PHOTOGRAPH = "person", "garment", "photograph"
_HEADINGS = {
    _PERSON: "to be repainted",
    _GARMENT: "garment",
    "inpainted-warp": "warp, inpainted",
    "poisson-warp": "warp, Poisson",
    "teacher": "teacher",
    "model": "model",
    _PHOTOGRAPH: "photograph",
}
"""What is shown, from left to right; ways by their keys."""

_Picture = NDArray[np.uint8]


class SideBySide:
    """Collects pictures as they are made, and lays them out: a row is a pair, a column a way."""

    def __init__(self) -> None:
        self._tiles: dict[str, list[_Picture]] = {key: [] for key in _HEADINGS}

    def add(self, key: str, sample: TryOnSample, picture: _Picture) -> None:
        """Show `picture` (H, W, 3) uint8 RGB, what the way called `key` made of `sample`, if that way has a column.

        Every way is expected to come with the same pairs in the same order.
        """
        if key not in self._tiles or len(self._tiles[key]) == MOST_PAIRS:
            return
        self._tiles[key].append(_small(picture))
        done = len(self._tiles[_PERSON])
        if len(self._tiles[key]) > done:
            person = to_picture(sample.inputs.person)
            hidden = np.where(sample.inputs.mask[0, 0, :, :, None] > 0.5, _GREY, person)
            self._tiles[_PERSON].append(_small(hidden))
            self._tiles[_GARMENT].append(_small(sample.garment))
            self._tiles[_PHOTOGRAPH].append(_small(to_picture(sample.target)))

    def sheet(self) -> _Picture:
        """One picture (H, W, 3) uint8 RGB; there must be a pair on it."""
        return contact_sheet([Column(_HEADINGS[key], tiles) for key, tiles in self._tiles.items() if tiles])


def _small(picture: _Picture) -> _Picture:
    from lite_vton.data.sample import resized

    height, width = picture.shape[:2]
    if height <= _TALLEST:
        return picture
    return resized(picture, _TALLEST, max(1, round(width * _TALLEST / height)))

"""What a mask looks like by itself: black and white, how much of it, and which way up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError

__all__ = ["TURNS", "check_black_and_white", "check_size", "is_around"]

Turn = Callable[[NDArray[Any]], NDArray[Any]]

TURNS: Mapping[str, Turn] = MappingProxyType(
    {
        "inverted": lambda region: ~region,
        "upside down": lambda region: region[::-1, ::-1],
        "flipped from top to bottom": lambda region: region[::-1],
        "mirrored": lambda region: region[:, ::-1],
        "turned by 90 degrees": lambda region: np.rot90(region),
        "turned by 90 degrees the other way": lambda region: np.rot90(region, -1),
    }
)
"""What may have been done to a region (H, W), and how it is undone. The quarter turns only fit square pictures."""

_GREY = (32, 223)  # what is neither black nor white
_MOST_GREY = 0.25  # of a mask: the soft rim of one is less
_ALL = 0.97  # of a mask: nothing that is marked fills a picture so far
_MOST_OF_BORDER = 0.75


def check_size(shape: tuple[int, ...], height: int, width: int, name: str, photo: str) -> None:
    """`UserError` for a picture of another size than its photo."""
    if shape == (height, width):
        return
    is_turned = shape == (width, height)
    advice = "it looks turned by 90 degrees, turn it back" if is_turned else "give one of this very photo, in its size"
    raise UserError(f"{name} is {shape[1]}x{shape[0]} and {photo} {width}x{height}: {advice}")


def check_black_and_white(mask: NDArray[np.uint8], name: str, does: str, white: str) -> None:
    """`UserError` for a `mask` (H, W) that is no mask of anything; it `does` what with that which is `white`."""
    marked = mask > 127
    grey = float(((mask > _GREY[0]) & (mask < _GREY[1])).mean())
    if grey > _MOST_GREY:
        raise UserError(f"{name} is a picture and no mask, {grey:.0%} of it is grey: paint {white} white on black")
    if not marked.any():
        brightest = int(mask.max())
        why = "it is empty, all black" if not brightest else f"its brightest value is {brightest} of 255"
        raise UserError(f"{name} {does} nothing, {why}: paint {white} white")
    if float(marked.mean()) > _ALL:
        raise UserError(f"{name} {does} everything, it is all white: paint {white} white, and leave the rest black")


def is_around(region: NDArray[np.bool_]) -> bool:
    """Whether `region` (H, W) is what lies around something: it fills most of the border, and all four corners."""
    border = np.concatenate([region[0], region[-1], region[1:-1, 0], region[1:-1, -1]])
    corners = region[[0, 0, -1, -1], [0, -1, 0, -1]]
    return bool(corners.all()) and float(border.mean()) > _MOST_OF_BORDER

"""A decoder for small latents, used on a large one: overlapping tiles, blended where they overlap. numpy only.

A network sees less than the whole picture at a tile's edge, so what it paints there is not to be trusted: a third of
the overlap counts for nothing, in the next third one tile fades into the other. Where the network looks no further than
that first third the result is the one of the whole latent; `docs/method.md` says what it is where it looks further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from lite_vton_runtimes.base import Array

__all__ = ["OVERLAP", "decoded_in_tiles"]

OVERLAP = 12
"""Latent positions that neighbours share at least."""


def decoded_in_tiles(
    decode: Callable[[Array], Array], latent: Array, tile: tuple[int, int], overlap: int = OVERLAP
) -> Array:
    """The picture (1, 3, H, W) of `latent` (1, C, h, w), decoded in pieces (1, C, *tile).

    A latent that is no larger than a tile takes one call. `ValueError` for one that is smaller along a side, or a tile
    along which there is nothing but overlap.
    """
    sides = [list(_starts(whole, part, overlap)) for whole, part in zip(latent.shape[2:], tile, strict=True)]
    picture: Array | None = None
    weights = np.zeros((), np.float32)
    for y, x in product(*sides):
        piece = decode(np.ascontiguousarray(latent[:, :, y : y + tile[0], x : x + tile[1]]))
        scale = piece.shape[2] // tile[0]
        if picture is None:
            height, width = (side * scale for side in latent.shape[2:])
            picture = np.zeros((*piece.shape[:2], height, width), np.float32)
            weights = np.zeros((height, width), np.float32)
        rows = _trust(y, tile[0], latent.shape[2], overlap, scale)
        columns = _trust(x, tile[1], latent.shape[3], overlap, scale)
        weight = rows[:, None] * columns
        seen = (slice(y * scale, (y + tile[0]) * scale), slice(x * scale, (x + tile[1]) * scale))
        picture[:, :, *seen] += weight * piece
        weights[seen] += weight
    assert picture is not None
    picture /= weights
    return picture


def _starts(whole: int, part: int, overlap: int) -> Iterator[int]:
    """Where tiles begin along a side: evenly, none over the edge, each sharing `overlap` with the next or more."""
    if whole < part or (whole > part and part <= overlap):
        raise ValueError(f"tiles of {part} that share {overlap} do not cover {whole}")
    count = 1 if whole == part else 1 + -(-(whole - part) // (part - overlap))
    for index in range(count):
        yield round(index * (whole - part) / max(1, count - 1))


def _trust(start: int, part: int, whole: int, overlap: int, scale: int) -> NDArray[np.float32]:
    """How much each pixel along a side counts: nothing near an edge that is not the picture's, one further inside."""
    length = part * scale
    pixel = np.arange(length, dtype=np.float32) + 0.5
    far = np.full(length, np.inf, np.float32)
    before = pixel if start > 0 else far
    after = length - pixel if start + part < whole else far
    third = overlap * scale / 3
    return np.clip((np.minimum(before, after) - third) / third, 0, 1)

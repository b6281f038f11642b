"""Pictures of cloth: shrunk to about the size it will have, sampled at places, laid over one another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Layer", "near_target_size", "over", "pixel_middles", "plain", "sampled"]

_Points = NDArray[np.float64]
Layer = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Colour times coverage (H, W, 3), and coverage (H, W) in [0, 1]."""


def pixel_middles(height: int, width: int) -> tuple[_Points, tuple[int, int]]:
    """(height * width, 2) x, y of every pixel's middle, and the shape."""
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    return grid.reshape(-1, 2) + 0.5, (height, width)


def sampled(
    cloth: NDArray[np.float32], columns: _Points, rows: _Points, keep: _Points, shape: tuple[int, int]
) -> Layer:
    """The cloth (h, w, 4), colour times coverage and coverage, at these places, as far as `keep` in [0, 1] says."""
    import cv2

    # cv2's fixed-point coordinates must not overflow.
    x, y = (np.clip(part, -1e4, 3e4).astype(np.float32).reshape(shape) for part in (columns, rows))
    out = cv2.remap(cloth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    out = out * keep.astype(np.float32).reshape(shape)[..., None]
    return np.asarray(out[..., :3], np.float32), np.asarray(out[..., 3], np.float32)


def over(top: Layer, below: Layer) -> Layer:
    """`top` laid over `below`."""
    return top[0] + below[0] * (1 - top[1][..., None]), top[1] + below[1] * (1 - top[1])


def near_target_size(
    garment: NDArray[np.uint8], mask: NDArray[np.float32], width: float
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Shrunk until the garment is `width` pixels wide, about as it will be: cv2.remap alone would alias."""
    import cv2

    columns = np.flatnonzero(mask.max(axis=0) > 0.5)
    scale = width / max(int(columns[-1] - columns[0]) + 1, 1)
    if scale >= 0.9:
        return garment, mask
    size = (max(8, round(mask.shape[1] * scale)), max(8, round(mask.shape[0] * scale)))
    small = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.float32)
    if not np.any(small > 0.5):
        return garment, mask
    return np.asarray(cv2.resize(garment, size, interpolation=cv2.INTER_AREA), np.uint8), small


def plain(colour: NDArray[np.float32], cover: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Colours no longer multiplied by their coverage."""
    pure = colour / np.maximum(cover, 1e-3)[..., None]
    pixels = np.where(cover[..., None] > 1e-3, np.clip(np.rint(pure), 0, 255), 0)
    return pixels.astype(np.uint8), np.clip(cover, 0, 1).astype(np.float32)

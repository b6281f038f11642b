"""A cut-out garment as a shop would show it: whole, in the middle, on white."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lite_vton.garment import Cutout

__all__ = ["ShopPicture", "shop_picture"]

_MARGIN = 0.03  # of each side


@dataclass(frozen=True)
class ShopPicture:
    """`cloth` (H, W, 3) uint8 RGB on white; `mask` (H, W) uint8 in {0, 255}, 255 = garment."""

    cloth: NDArray[np.uint8]
    mask: NDArray[np.uint8]


def shop_picture(cutout: Cutout, height: int, width: int) -> ShopPicture:
    """As large as (height, width) lets it be, its proportions kept."""
    import cv2

    rows, columns = (np.flatnonzero((cutout.mask > 0.5).any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    cover = cutout.mask[box].astype(np.float32)
    picture = cutout.pixels[box] * cover[..., None] + 255.0 * (1 - cover[..., None])
    scale = (1 - 2 * _MARGIN) * min(height / cover.shape[0], width / cover.shape[1])
    size = (max(1, round(cover.shape[1] * scale)), max(1, round(cover.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    cloth, mask = np.full((height, width, 3), 255, np.uint8), np.zeros((height, width), np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    there = slice(top, top + size[1]), slice(left, left + size[0])
    fitted = cv2.resize(picture.astype(np.float32), size, interpolation=method)
    cloth[there] = np.rint(np.clip(fitted, 0, 255))
    mask[there] = np.where(cv2.resize(cover, size, interpolation=method) > 0.5, 255, 0)
    return ShopPicture(cloth, mask)

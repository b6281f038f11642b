"""The plain mask: the old garment and nothing else, as an inpainting model would be given it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError

__all__ = ["plain_mask"]

_RIM = 0.01
"""Of the picture's height: how far beyond its outline the garment is repainted. Its colour runs over into the pixels
beside it, and a parse is seldom right to the pixel."""


def plain_mask(
    garment: NDArray[np.bool_], source: str, wanted: str = "upper garment and no dress"
) -> NDArray[np.float32]:
    """(H, W) float32 in {0, 1}, 1 = repaint: the pixels of `garment` (H, W) and a rim around them.

    The outline of the old garment stays visible in it, which is what the improved mask is for.
    `UserError`, which calls the parse `source`, where there is no garment: it shows no `wanted`.
    """
    import cv2

    if not garment.any():
        raise UserError(f"{source} shows no {wanted}: use the improved mask, or another picture")
    reach = max(1, round(_RIM * garment.shape[0]))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(cv2.dilate(garment.astype(np.uint8), disc), np.float32)

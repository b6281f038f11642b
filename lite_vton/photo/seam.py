"""The seam of a try-on: the painted part brought to the photo's own colours where the two meet.

An autoencoder gives colours back a little off, and a network lights what it paints by its own taste. Just inside the
mask the photo is known too, and mostly shows what was painted again: background, trousers, skin. Where the two are
alike, their difference is that drift. It is taken back at the mask's edge and ever less further in, so that the edge
is not seen and the garment keeps its colours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    pass


__all__ = ["match_seam", "seam_step"]


_BAND = 0.02  # of the picture's width: how far inside the mask the two are compared
_REACH = 0.03  # of the picture's width: how far inside the mask the correction is felt
_SAME = 80.0  # of 255: what differs by more is another thing, not another light


def match_seam(
    painted: NDArray[np.uint8], original: NDArray[np.uint8], mask: NDArray[np.float32], keep: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """`painted` (h, w, 3), corrected inside mask (h, w) towards the photo's colours; elsewhere as it is.

    `original` (h, w, 3) is the same crop of the photo, `keep` (h, w) in [0, 1] the new garment, whose colours stay.
    """
    import cv2

    width = painted.shape[1]
    inside = mask > 0.5
    # Not from the picture's own border: a mask that runs out of it has no seam there.
    depth = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)
    drift = original.astype(np.float32) - painted.astype(np.float32)
    rim = inside & (depth <= max(1.0, _BAND * width)) & (keep < 0.5)
    trusted = (rim & (np.abs(drift).max(axis=2) < _SAME)).astype(np.float32)
    if not trusted.any():
        return painted
    spread = _REACH * width
    weight = cv2.GaussianBlur(trusted, (0, 0), spread / 2)
    mean = cv2.GaussianBlur(drift * trusted[..., None], (0, 0), spread / 2) / np.maximum(weight, 1e-6)[..., None]
    felt = (
        np.exp(-np.square(np.maximum(depth - 1, 0) / spread))
        * (1 - np.clip(keep, 0, 1))
        * inside
        * np.clip(weight / 0.02, 0, 1)
    )
    moved = painted.astype(np.float32) + felt[..., None] * mean
    return np.asarray(np.clip(np.rint(moved), 0, 255), np.uint8)


def seam_step(picture: NDArray[np.uint8], mask: NDArray[np.float32]) -> float:
    """Mean absolute difference, of 255, between neighbouring pixels on the two sides of the mask's edge."""
    inside = mask > 0.5
    values = picture.astype(np.float32)
    steps = [
        np.abs(values[a] - values[b]).mean(axis=-1)[inside[a] != inside[b]]
        for a, b in (
            ((slice(1, None),), (slice(None, -1),)),
            ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
        )
    ]
    joined = np.concatenate(steps)
    return float(joined.mean()) if joined.size else 0.0

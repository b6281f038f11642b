"""Poisson blending (Pérez, Gangnet and Blake 2003) by OpenCV, pixel for pixel where it is asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lite_vton_training.metrics import Picture

__all__ = ["poisson_clone"]

_ERODED = 3  # pixels that `seamlessClone` takes off the mask all around
_FRAME = _ERODED + 2  # room around the pictures: it also clears the mask's outermost pixels


def poisson_clone(source: Picture, onto: Picture, inside: NDArray[np.bool_]) -> Picture:
    """`onto` (H, W, 3) with the gradients of `source` (same size) where `inside` (H, W) is true, and in its own place.

    The colours follow from the surroundings: a constant added to `source` changes nothing. OpenCV solves for the whole
    bounding box of the region, so that within it `onto` changes a little too. What `source` shows outside does not
    matter; its colours at the rim are continued instead. With nothing inside, `onto` as it is.
    """
    import cv2

    if not inside.any():
        return onto
    region = np.pad(inside, _FRAME).astype(np.uint8)
    grown = cv2.dilate(region, np.ones((3, 3), np.uint8), iterations=_ERODED)
    framed = np.pad(onto, ((_FRAME, _FRAME), (_FRAME, _FRAME), (0, 0)), mode="edge")
    left, top, width, height = cv2.boundingRect(grown)
    # Its place is given by the middle of the mask's bounding box, rounded in this way.
    middle = (left + width // 2, top + height // 2)
    cloned = cv2.seamlessClone(_continued(source, inside), framed, 255 * grown, middle, cv2.NORMAL_CLONE)
    return np.ascontiguousarray(cloned[_FRAME:-_FRAME, _FRAME:-_FRAME], np.uint8)


def _continued(source: Picture, inside: NDArray[np.bool_]) -> Picture:
    """`source` in its frame, every pixel outside with the colour of the nearest one inside."""
    import cv2

    region = np.pad(inside, _FRAME)
    outside = (~region).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    colours = np.zeros((labels.max() + 1, 3), np.uint8)
    colours[labels[region]] = source[inside]
    return np.asarray(colours[labels], np.uint8)

"""Which of what somebody wears is the garment of the pair.

It is everything worn above the waist taken together, or the dress with whatever is worn over it: a coat that hangs open
shows the shirt below it, and stays so when it is laid flat. The mask repaints the same union, so picture and mask agree
whether a coat is open or closed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lite_vton.category import Category
from lite_vton.person.keypoints import Joint, Keypoints
from lite_vton.person.parse_labels import BOTTOM, GARMENT, Part

__all__ = ["as_one_garment"]

_HIPS = 0.95  # torso lengths from the neck point
_LONG = 1.36  # the same, where a garment ends that is laid flat as a dress is
_THIGHS, _CLOSED = (1.05, 1.4), 0.75  # the same, and how much of what is seen there is then the garment
_BELOW = (*BOTTOM, Part.LEFT_LEG, Part.RIGHT_LEG)


def as_one_garment(parse: NDArray[np.uint8], keypoints: Keypoints) -> tuple[NDArray[np.uint8], Category]:
    """The parse (H, W), LIP labels, with the union labelled as readers tell its category from, and that category.

    A dress that shows only below what is worn over it is a skirt. What covers the thighs, a closed coat too, is laid
    flat and repainted as a dress is, so it is one. `keypoints` in pixels of the parse, with shoulders and hips.
    """
    down = _torso_lengths(parse.shape, keypoints)
    above = parse[down < _HIPS]
    dress = int((above == Part.DRESS).sum()) > int((above == Part.UPPER_CLOTHES).sum())
    if not dress:
        parse = np.where((parse == Part.DRESS) & (down >= _HIPS), np.uint8(Part.SKIRT), parse)
    garment = np.isin(parse, GARMENT)
    if dress or _covers_thighs(garment, np.isin(parse, _BELOW), down):
        return np.where(garment, np.uint8(Part.DRESS), parse), "dress"
    return np.where(parse == Part.DRESS, np.uint8(Part.UPPER_CLOTHES), parse), "upper"


def _covers_thighs(garment: NDArray[np.bool_], below: NDArray[np.bool_], down: NDArray[np.float64]) -> bool:
    """Whether `garment` (H, W) reaches down the thighs, and leaves little of what is worn `below` (H, W) uncovered."""
    if not garment.any() or float(np.quantile(down[garment], 0.97)) < _LONG:
        return False
    thighs = (down > _THIGHS[0]) & (down < _THIGHS[1])
    return float((garment & thighs).sum()) > _CLOSED * float(((garment | below) & thighs).sum())


def _torso_lengths(shape: tuple[int, ...], keypoints: Keypoints) -> NDArray[np.float64]:
    """(H, W) how far down each pixel is, 0 at the neck point and 1 at the hips."""
    points = keypoints.completed().points.astype(np.float64)
    neck, hips = points[Joint.NECK], points[[Joint.R_HIP, Joint.L_HIP]].mean(axis=0)
    way = hips - neck
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    return np.asarray(((x - neck[0]) * way[0] + (y - neck[1]) * way[1]) / max(float(way @ way), 1.0))

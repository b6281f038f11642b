"""Whether a mask can be that of a garment in its photo."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton.photo.mask_look import TURNS, check_black_and_white, check_size, is_around

__all__ = ["check_garment_mask"]

_SIDE = 160  # pixels of the pictures that are compared; more would tell nothing more
_UNLIKE = 24.0  # CIELAB distance from the background that garments have and its shadows do not
_PLAIN = 12.0  # median distance of the border's pixels from their own median: more is no plain background
_GOOD, _BETTER = 0.5, 0.12  # intersection over union with what differs from a plain background once a turn is undone


def check_garment_mask(mask: NDArray[np.uint8], pixels: NDArray[np.uint8], name: str = "the garment mask") -> None:
    """`UserError`, with what it looks like, unless `mask` (H, W), > 127 = garment, can be that of `pixels` (H, W, 3).

    Whether it lies on the garment can be told before a plain background alone, as shops have it.
    """
    height, width = pixels.shape[:2]
    check_size(mask.shape, height, width, name, "its photo")
    check_black_and_white(mask, name, "cuts out", "the garment")
    garment = mask > 127
    if is_around(garment):
        raise UserError(f"{name} marks what is around the garment: it looks inverted, invert it")
    seen = _unlike_background(pixels)
    if seen is None:
        return
    small = _small(garment.astype(np.uint8)) > 0
    believed = max(_GOOD, _overlap(small, seen) + _BETTER)
    for turn, undo in TURNS.items():
        turned = undo(small)
        if turned.shape == seen.shape and _overlap(turned, seen) >= believed:
            raise UserError(f"{name} does not lie on the garment: it looks {turn}, undo that")


def _unlike_background(pixels: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """Where the picture differs from its plain background; None where it has none, or hardly differs anywhere."""
    import cv2

    lab = cv2.cvtColor(_small(pixels).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    border = np.concatenate([lab[0], lab[-1], lab[1:-1, 0], lab[1:-1, -1]])
    ground = np.median(border, axis=0)
    if float(np.median(np.linalg.norm(border - ground, axis=1))) > _PLAIN:
        return None
    seen = np.asarray(np.linalg.norm(lab - ground, axis=2) > _UNLIKE)
    return seen if seen.mean() > 0.05 else None


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    scale = min(1.0, _SIDE / max(picture.shape[:2]))
    size = (max(1, round(scale * picture.shape[1])), max(1, round(scale * picture.shape[0])))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum()) / max(float((one | other).sum()), 1.0)

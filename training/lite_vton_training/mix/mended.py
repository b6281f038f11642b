"""Any picture as a training pair: a part of it pasted back not quite where it was, with a gap around it.

A few hundred people are soon learnt by heart, faces and streets and all. These pairs have none: what is to be learnt of
them is how to mend a paste, on as many surfaces as there are pictures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_training.mix.places import partly_hidden, pushed_about

__all__ = ["mended"]


def mended(picture: NDArray[np.uint8], rng: np.random.Generator) -> TryOnInputs:
    """`picture` (H, W, 3) uint8 is what is to be painted; there is no skeleton.

    The part is about as large as a garment on its wearer; pushed about by a smooth field, lit a little otherwise.
    """
    import cv2

    height, width = picture.shape[:2]
    part = _blob(height, width, rng, rng.uniform(0.22, 0.4), rng.uniform(0.25, 0.42))
    moved, cover = pushed_about(picture, part, rng, 0.02 * height)
    if rng.random() < 0.4:
        cover = partly_hidden(cover, rng)
    if rng.random() < 0.4:
        moved = np.asarray(np.clip(moved * np.exp(rng.normal(0, 0.1) + rng.normal(0, 0.03, 3)), 0, 255), np.uint8)
    grown = 2 * int(rng.integers(1, 12)) + 1
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (grown, grown))
    mask = np.asarray(cv2.dilate(part, around), np.float32)
    for _ in range(rng.integers(0, 4)):
        mask = np.maximum(mask, _blob(height, width, rng, *rng.uniform(0.04, 0.12, 2)))
    return TryOnInputs.compose(picture, mask, moved, cover, np.zeros_like(picture))


def _blob(height: int, width: int, rng: np.random.Generator, tall: float, wide: float) -> NDArray[np.float32]:
    """A closed smooth outline around somewhere near the middle; half axes in heights and widths of the picture."""
    import cv2

    turns = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    radius = 1 + rng.normal(0, 0.14, 12)
    middle = np.array([width, height]) * (0.5 + rng.uniform(-0.15, 0.15, 2))
    outline = middle + np.stack([wide * width * radius * np.cos(turns), tall * height * radius * np.sin(turns)], axis=1)
    canvas = np.zeros((height, width), np.float32)
    cv2.fillPoly(canvas, [np.rint(outline).astype(np.int32)], (1.0,))
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), 1.0), np.float32)

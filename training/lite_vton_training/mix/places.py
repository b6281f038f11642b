"""What of a try-on is never quite right: where the garment lands, what of it is seen, and what is repainted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lite_vton.garment.cutout import Cutout
from lite_vton.person.keypoints import Keypoints, body_unit
from lite_vton_training.mix.worn import Worn

__all__ = ["bent", "cut_unknown", "misplaced", "partly_hidden", "pushed_about", "wider_mask"]

_Floats = NDArray[np.float32]


def cut_unknown(worn: Worn) -> Worn:
    """As a shop's garment is: how long and wide it is has to be read off its picture, which is now and then wrong."""
    return replace(worn, garment=replace(worn.garment, cut=None))


def bent(worn: Worn, rng: np.random.Generator) -> Worn:
    """The flat garment pushed about by a smooth field, so that it no longer fits the one it was taken off."""
    garment = worn.garment
    return replace(
        worn, garment=Cutout(*pushed_about(garment.pixels, garment.mask, rng, 0.014 * max(garment.mask.shape)))
    )


def pushed_about(
    pixels: NDArray[np.uint8], mask: _Floats, rng: np.random.Generator, far: float
) -> tuple[NDArray[np.uint8], _Floats]:
    """Pixels (h, w, 3) and mask (h, w), moved alike by a smooth random field of standard deviation `far`, pixels."""
    import cv2

    height, width = mask.shape
    field = rng.normal(0, far, (6, 5, 2)).astype(np.float32)
    moved = cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x + moved[..., 0], y + moved[..., 1]
    shown = cv2.remap(pixels, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.remap(mask, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(shown, np.uint8), np.asarray(cover, np.float32)


def misplaced(keypoints: Keypoints, rng: np.random.Generator) -> Keypoints:
    """Every joint a little off, as a pose estimator's are: for laying the garment on."""
    unit = body_unit(keypoints.completed().points.astype(np.float64))
    points = keypoints.points + rng.normal(0, 0.022 * unit, keypoints.points.shape)
    return Keypoints(points.astype(np.float32), keypoints.confidence)


def partly_hidden(warped_mask: _Floats, rng: np.random.Generator) -> _Floats:
    """Coverage (H, W) with one to three strokes, as wide as an arm or a strand of hair, taken out of it."""
    import cv2

    height, width = warped_mask.shape
    holes = np.zeros((height, width), np.uint8)
    inside = np.argwhere(warped_mask > 0.5)
    if not len(inside):
        return warped_mask
    for _ in range(rng.integers(1, 4)):
        y, x = inside[rng.integers(len(inside))]
        way, length = rng.uniform(-np.pi, np.pi), rng.uniform(0.05, 0.3) * height
        end = (round(x + length * np.cos(way)), round(y + length * np.sin(way)))
        cv2.line(holes, (int(x), int(y)), end, (1,), max(1, round(rng.uniform(0.01, 0.07) * width)))
    return np.asarray(warped_mask * (1 - cv2.GaussianBlur(holes.astype(np.float32), (3, 3), 0)), np.float32)


def wider_mask(mask: _Floats, spared: NDArray[np.bool_], rng: np.random.Generator) -> _Floats:
    """`mask` (H, W) in {0, 1} grown by a few pixels and by blobs along its edge, so that its outline tells no garment.

    What is `spared` (H, W) of the person, face, hair and hands, stays out.
    """
    import cv2

    grown = int(rng.integers(0, 6))
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grown + 1, 2 * grown + 1))
    wide = cv2.dilate(mask.astype(np.uint8), around)
    edge = np.argwhere(cv2.morphologyEx(wide, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0)
    for _ in range(rng.integers(0, 7) if len(edge) else 0):
        y, x = edge[rng.integers(len(edge))]
        axes = [max(1, round(part)) for part in rng.uniform(0.01, 0.07, 2) * mask.shape[0]]
        cv2.ellipse(wide, (int(x), int(y)), axes, float(rng.uniform(0, 180)), 0, 360, (1,), -1)
    return np.where((wide > 0) & (~spared | (mask > 0.5)), np.float32(1), np.float32(0))

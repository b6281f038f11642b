"""A garment's named points: collar, shoulders, sleeve ends and hem."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from lite_vton.garment.cut import ARMPIT, CHEST, read_cut
from lite_vton.garment.cutout import Cutout
from lite_vton.garment.silhouette import find_landmarks, first_row

__all__ = ["GarmentMarks", "find_marks", "landmarks_picture"]

_Point = tuple[float, float]

_COLLAR = 0.12, 0.62  # share of half the chest within which each side of a collar ends
_SHOULDER = 0.95  # the same, where a shoulder ends
_PAPER = 255
_INK, _HALO = (200, 0, 60), (255, 255, 255)


@dataclass(frozen=True)
class GarmentMarks:
    """Points (x, y) in pixels of the garment's picture; left and right as seen in it.

    The collar's ends are where the neckline meets the shoulders, its middle the neckline's lowest point.
    Armpits are where the sides begin, whether sleeves hide them or not.
    `sleeve_*` is the middle of the cuff, None where the garment has no sleeves.
    """

    collar_left: _Point
    collar_middle: _Point
    collar_right: _Point
    shoulder_left: _Point
    shoulder_right: _Point
    armpit_left: _Point
    armpit_right: _Point
    sleeve_left: _Point | None
    sleeve_right: _Point | None
    hem_left: _Point
    hem_right: _Point

    def named(self) -> dict[str, _Point]:
        """Those that there are, by name."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: point for name, point in found.items() if point is not None}


def find_marks(mask: NDArray[np.float32]) -> GarmentMarks:
    """From mask (h, w) in [0, 1], > 0.5 inside, at least one pixel; an upright garment seen from the front."""
    inside = mask > 0.5
    cut, marks = read_cut(mask), find_landmarks(mask)
    first = int(np.flatnonzero(inside.any(axis=1))[0])
    half = CHEST * cut.unit
    axis = float(cut.column(np.zeros(1), np.full(1, cut.top))[0])

    def top(x: float) -> _Point:
        x = float(np.clip(x, 0, inside.shape[1] - 1))
        return x, first_row(inside, x, first)

    def collar(sign: float) -> _Point:
        # The highest point of its side, and of equally high ones the innermost.
        sides = [top(axis + sign * share * half) for share in np.linspace(*_COLLAR, 40)]
        return min(sides, key=lambda point: point[1])

    shoulders = [top(axis + sign * _SHOULDER * half) for sign in (-1, 1)]
    row = cut.row(np.full(2, ARMPIT))
    armpits = [_inside(point, inside) for point in np.stack([cut.column(np.array([-1.0, 1.0]), row), row], axis=1)]
    sleeves = [None if sleeve is None else _inside(sleeve.end, inside) for sleeve in cut.sleeves]
    hem = [_inside(point, inside) for point in marks.hem]
    return GarmentMarks(collar(-1), top(axis), collar(1), *shoulders, *armpits, *sleeves, *hem)


def landmarks_picture(cutout: Cutout) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 RGB: the garment on white, with its points and their names."""
    import cv2

    shown = cutout.mask[..., None]
    picture = np.rint(cutout.pixels * shown + float(_PAPER) * (1 - shown)).astype(np.uint8)
    height, width = cutout.mask.shape
    radius = max(2, min(height, width) // 90)
    scale = max(0.3, min(height, width) / 900)
    for name, point in find_marks(cutout.mask).named().items():
        x, y = (round(value) for value in point)
        cv2.circle(picture, (x, y), radius + 1, _HALO, -1, cv2.LINE_AA)
        cv2.circle(picture, (x, y), radius, _INK, -1, cv2.LINE_AA)
        label = name.replace("_", " ")
        (wide, high), _ = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        at = (min(max(0, x + 2 * radius), max(0, width - wide)), min(max(high, y - radius), height - 2))
        for ink, thickness in ((_HALO, 3), (_INK, 1)):
            cv2.putText(picture, label, at, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, thickness, cv2.LINE_AA)
    return np.asarray(picture, np.uint8)


def _inside(point: NDArray[np.float64], inside: NDArray[np.bool_]) -> _Point:
    """Within the picture."""
    height, width = inside.shape
    return float(np.clip(point[0], 0, width - 1)), float(np.clip(point[1], 0, height - 1))

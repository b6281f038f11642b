"""What to repaint so that nothing of old trousers or an old skirt shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lite_vton.person.body import Limb
from lite_vton.person.keypoints import Joint, Keypoints, body_unit
from lite_vton.person.legs import SKIRT, Legs

__all__ = ["lower_mask"]

_Points = NDArray[np.float64]

_FAR = 16000  # pixels; cv2 draws nothing thicker, and clips lines in 16 bits

# Generous, for skirts are wide. Half widths of the waist and hips around their middle, and of the hips around that of
# the knees and ankles; in body units, about a shoulder width, beside every knee and ankle.
_BESIDE_WAIST, _BESIDE_HIPS, _BESIDE_MIDDLE, _BESIDE_LEG = 1.3, 1.4, SKIRT + 0.15, 0.42
_ABOVE_HIPS = 0.28  # torso lengths
_SHOES = 0.03  # of the leg, up from the ankle
_FOREARM, _HAND, _HAND_LENGTH = 0.1, 0.12, 0.45  # kept


def lower_mask(body: Keypoints, height: int, width: int) -> NDArray[np.float32]:
    """(height, width) float32 in {0, 1}, 1 = repaint: one region from the waist to the ankles around both legs.

    `body` completed. What is above the waist, hands, forearms and shoes are spared. `UserError` without knees.
    """
    import cv2

    legs = Legs.of(body)
    unit = body_unit(body.points.astype(np.float64))
    waist, crotch = legs.pelvis.line
    down = (crotch - waist) / max(float(np.linalg.norm(crotch - waist)), 1e-6)
    hips = waist + legs.hips * down
    out = np.array([-down[1], down[0]])
    corners = _beside(hips - _ABOVE_HIPS * legs.torso * down, out, _BESIDE_WAIST * legs.build.waist)
    corners += _beside(hips, out, _BESIDE_HIPS * legs.build.hip)
    sideways = np.array([1.0, 0.0])
    pairs = np.stack([[_knee(leg), leg.line[-1] + _SHOES * (leg.line[0] - leg.line[-1])] for leg in legs.legs])
    for point in pairs.reshape(-1, 2):
        corners += _beside(point, sideways, _BESIDE_LEG * unit)
    for point in pairs.mean(axis=0):
        corners += _beside(point, sideways, _BESIDE_MIDDLE * legs.build.hip)
    canvas = np.zeros((height, width), np.uint8)
    hull = cv2.convexHull(np.array([_pixel(point) for point in corners], np.int32))
    cv2.fillConvexPoly(canvas, hull, (1,))
    for elbow, wrist in ((Joint.R_ELBOW, Joint.R_WRIST), (Joint.L_ELBOW, Joint.L_WRIST)):
        if body.sees(elbow, wrist):
            start, end = body.points[[elbow, wrist]].astype(np.float64)
            _spare_forearm(canvas, start, end, unit)
    return canvas.astype(np.float32)


def _knee(leg: Limb) -> _Points:
    return np.asarray(leg.line[len(leg.line) // 2])


def _beside(point: _Points, out: _Points, reach: float) -> list[_Points]:
    return [point - reach * out, point + reach * out]


def _spare_forearm(canvas: NDArray[np.uint8], elbow: _Points, wrist: _Points, unit: float) -> None:
    import cv2

    along = (wrist - elbow) / max(float(np.linalg.norm(wrist - elbow)), 1e-6)
    for start, end, radius in (
        (elbow, wrist, _FOREARM),
        (wrist, wrist + (_HAND_LENGTH - _HAND) * unit * along, _HAND),
    ):
        thickness = int(np.clip(round(2 * radius * unit), 1, _FAR))
        cv2.line(canvas, _pixel(start), _pixel(end), (0,), thickness, cv2.LINE_8)


def _pixel(point: _Points) -> tuple[int, int]:
    x, y = np.clip(np.rint(point), -_FAR, _FAR).astype(int)
    return int(x), int(y)

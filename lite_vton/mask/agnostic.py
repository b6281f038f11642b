"""Agnostic masks: what to repaint so that nothing of the old garment shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lite_vton.category import Category, as_category
from lite_vton.mask.lower import lower_mask
from lite_vton.person.keypoints import Joint, Keypoints, body_unit

__all__ = ["agnostic_mask"]


_FAR = 16000  # pixels; cv2 draws nothing thicker, and clips lines in 16 bits

_Points = NDArray[np.float64]


@dataclass(frozen=True)
class _Coverage:
    """Radii in body units (about a shoulder width), lengths in torso lengths. Generous: garments may be loose."""

    torso: float = 0.2  # around the polygon of shoulders and hips
    below_hips: float = 0.22
    neck: float = 0.25  # the collar, around the neck point
    collar: float = 0.3  # how far up towards the nose it reaches, in neck-to-nose lengths
    upper_arm: float = 0.21
    forearm: float = 0.19
    hand: float = 0.13  # kept, from the wrist on
    hand_length: float = 0.4
    knees: bool = False


_TOPS: dict[Category, _Coverage] = {"upper": _Coverage(), "dress": _Coverage(below_hips=0.3, knees=True)}


def agnostic_mask(keypoints: Keypoints, height: int, width: int, category: str = "upper") -> NDArray[np.float32]:
    """(height, width) float32 in {0, 1}, 1 = repaint: torso, neckline and arms; face and hands are spared.

    A "dress" goes on to the knees. "lower" is from the waist to a little above the ankles, all around both legs.
    Missing elbows, wrists, knees and ankles only shorten it.
    `UserError` without shoulders or hips, or for "lower" without knees.
    """
    kind = as_category(category)
    body = keypoints.completed()
    if kind in _TOPS:
        return _top_mask(body, height, width, _TOPS[kind])
    return lower_mask(body, height, width)


def _top_mask(body: Keypoints, height: int, width: int, cover: _Coverage) -> NDArray[np.float32]:
    import cv2

    points = body.points.astype(np.float64)
    unit = body_unit(points)
    canvas = np.zeros((height, width), np.uint8)

    def capsule(a: _Points, b: _Points, radius: float, value: int = 1) -> None:
        thickness = int(np.clip(round(2 * radius * unit), 1, _FAR))
        cv2.line(canvas, _pixel(a), _pixel(b), (value,), thickness, cv2.LINE_8)

    hips = points[[Joint.R_HIP, Joint.L_HIP]]
    down = hips.mean(axis=0) - points[Joint.NECK]
    below = hips + cover.below_hips * down
    outline = [points[Joint.R_SHOULDER], points[Joint.L_SHOULDER], below[1], below[0]]
    # A hull, since crossed or coinciding corners of someone turned would leave holes.
    hull = cv2.convexHull(np.array([_pixel(p) for p in outline], np.int32))
    cv2.fillConvexPoly(canvas, hull, (1,))
    for a, b in zip(outline, [*outline[1:], outline[0]], strict=True):
        capsule(a, b, cover.torso)
    if cover.knees:
        _cover_legs(canvas, body, points, below, down, unit)

    neck = points[Joint.NECK]
    up = (points[Joint.NOSE] - neck) if body.sees(Joint.NOSE) else -0.4 * down
    capsule(neck, neck + cover.collar * up, cover.neck)
    for side in (
        (Joint.R_SHOULDER, Joint.R_ELBOW, Joint.R_WRIST),
        (Joint.L_SHOULDER, Joint.L_ELBOW, Joint.L_WRIST),
    ):
        shoulder, elbow, wrist = side
        if body.sees(elbow):
            capsule(points[shoulder], points[elbow], cover.upper_arm)
            if body.sees(wrist):
                capsule(points[elbow], points[wrist], cover.forearm)

    # What is spared comes last.
    for elbow, wrist in ((Joint.R_ELBOW, Joint.R_WRIST), (Joint.L_ELBOW, Joint.L_WRIST)):
        if body.sees(elbow, wrist):
            along = points[wrist] - points[elbow]
            along *= cover.hand_length * unit / max(float(np.linalg.norm(along)), 1e-6)
            start = points[wrist] + along * (cover.hand * 0.8 * unit / max(float(np.linalg.norm(along)), 1e-6))
            capsule(start, points[wrist] + along, cover.hand, 0)
    _spare_head(canvas, body, points, unit)
    return canvas.astype(np.float32)


def _cover_legs(
    canvas: NDArray[np.uint8], body: Keypoints, points: _Points, below: _Points, down: _Points, unit: float
) -> None:
    import cv2

    knees = [
        points[knee] if body.sees(knee) else points[hip] + 0.95 * down
        for hip, knee in ((Joint.R_HIP, Joint.R_KNEE), (Joint.L_HIP, Joint.L_KNEE))
    ]
    # Skirts are wide: half a body unit beside the knees and a little below them.
    reach = 0.3 * unit
    corners = [*below, *knees, *(knee + 0.12 * down for knee in knees)]
    sides = [p + np.array([dx, 0.0]) for p in corners for dx in (-reach, reach)]
    cv2.fillConvexPoly(canvas, cv2.convexHull(np.array([_pixel(p) for p in sides], np.int32)), (1,))


def _spare_head(canvas: NDArray[np.uint8], body: Keypoints, points: _Points, unit: float) -> None:
    """Clear an ellipse from above the eyes to the chin, as wide as the ears."""
    import cv2

    if not body.sees(Joint.NOSE):
        return
    nose = points[Joint.NOSE]
    up = nose - points[Joint.NECK]
    length = float(np.linalg.norm(up))
    if length < 1e-6:
        return
    ears = [points[j] for j in (Joint.R_EAR, Joint.L_EAR) if body.sees(j)]
    half = max([0.2 * unit, *(abs(float((ear - nose) @ [-up[1], up[0]])) / length for ear in ears)])
    half = min(half, 0.35 * unit)
    # The chin is about 0.42 of the way from nose to neck point; the forehead as far above and more.
    centre = nose + 0.2 * up
    axes = (round(min(0.62 * length, _FAR)), round(min(half, _FAR)))
    angle = float(np.degrees(np.arctan2(up[1], up[0])))
    cv2.ellipse(canvas, _pixel(centre), axes, angle, 0, 360, (0,), -1)


def _pixel(point: _Points) -> tuple[int, int]:
    x, y = np.clip(np.rint(point), -_FAR, _FAR).astype(int)
    return int(x), int(y)

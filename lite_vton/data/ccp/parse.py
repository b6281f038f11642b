"""A parse of Clothing Co-Parsing in LIP's labels: what of the skin is face, arm, leg or torso, and whose side it is."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lite_vton.data.ccp.labels import Kind
from lite_vton.person.body import Wearer
from lite_vton.person.keypoints import Joint, Keypoints, body_unit
from lite_vton.person.legs import completed_legs
from lite_vton.person.parse_labels import Part

__all__ = ["lip_parse"]

_Points = NDArray[np.float64]

# In body units: how thick each part is, so that distances from their middle lines compare.
_ARM, _LEG, _TORSO = 0.16, 0.24, 0.35
_ARM_BEFORE_TORSO = 0.5  # on its own line an arm is in front
_HAND = 0.35  # beyond the wrist
_ABOVE_CHIN, _HEAD_HALF = -0.4, 0.5  # of the way from neck to nose, from the nose; body units
_NO_NOSE = 0.3  # body units above the neck point


def lip_parse(codes: NDArray[np.uint8], keypoints: Keypoints) -> NDArray[np.uint8]:
    """(H, W) uint8 labels of `lite_vton.person.parse_labels` from codes (H, W), each a `Part` or a `Kind`.

    Skin is face near the head and above the chin, else of whichever limb or trunk runs nearest; what is carried or
    worn over everything becomes background. `keypoints` in pixels of it, with shoulders and hips.
    """
    body = keypoints.completed()
    parse = np.where(codes == Kind.OVER, np.uint8(Part.BACKGROUND), codes).astype(np.uint8)
    arms, legs = _arms(body), _legs(body)
    unit = body_unit(body.points.astype(np.float64))
    for kind, parts in (
        (Kind.ARM, arms),
        (Kind.LEG, legs),
        (Kind.SHOE, {_SHOE_OF[part]: line for part, line in legs.items()}),
    ):
        here = codes == kind
        points = _middles(here)
        parse[here] = _nearest(points, [(part, line, 1.0, 0.0) for part, line in parts.items()])
    skin = codes == Kind.SKIN
    points = _middles(skin)
    neck, hips = body.points[Joint.NECK], body.points[[Joint.R_HIP, Joint.L_HIP]].mean(axis=0)
    trunk = np.stack([neck, hips]).astype(np.float64)
    found = _nearest(
        points,
        [
            *((part, line, _ARM * unit, 0.0) for part, line in arms.items()),
            *((part, line, _LEG * unit, 0.0) for part, line in legs.items()),
            (Part.TORSO_SKIN, trunk, _TORSO * unit, _ARM_BEFORE_TORSO),
        ],
    )
    parse[skin] = np.where(_head(points, body, unit), np.uint8(Part.FACE), found)
    return parse


_SHOE_OF = {Part.RIGHT_LEG: Part.RIGHT_SHOE, Part.LEFT_LEG: Part.LEFT_SHOE}


def _middles(mask: NDArray[np.bool_]) -> _Points:
    """(N, 2) x and y of the pixels of `mask` (H, W), in the order in which it picks them."""
    y, x = np.nonzero(mask)
    return np.stack([x, y], axis=1) + 0.5


def _nearest(points: _Points, lines: list[tuple[Part, _Points, float, float]]) -> NDArray[np.uint8]:
    """(N,) the part whose middle line is nearest, each with its thickness and a handicap."""
    costs = np.stack([_distance(points, line) / thick + handicap for _, line, thick, handicap in lines])
    parts = np.array([part for part, *_ in lines], np.uint8)
    return np.asarray(parts[costs.argmin(axis=0)])


def _distance(points: _Points, line: _Points) -> _Points:
    """(N,) pixels from the broken line (n, 2)."""
    best = np.full(len(points), np.inf)
    for start, end in pairwise(line):
        step = end - start
        share = np.clip((points - start) @ step / max(float(step @ step), 1e-9), 0, 1)
        best = np.minimum(best, np.linalg.norm(points - start - share[:, None] * step, axis=1))
    return best


def _arms(body: Keypoints) -> dict[Part, _Points]:
    """Middle lines, hands included."""
    wearer = Wearer.of(body)
    points = body.points.astype(np.float64)
    unit = body_unit(points)
    lines = []
    for arm in wearer.arms:
        way = arm.line[-1] - arm.line[-2]
        hand = arm.line[-1] + _HAND * unit * way / max(float(np.linalg.norm(way)), 1e-6)
        lines.append(np.vstack([arm.line, hand]))
    sides = (Part.RIGHT_ARM, Part.LEFT_ARM)
    # The wearer's sides are the picture's.
    faces_camera = points[Joint.R_SHOULDER, 0] <= points[Joint.L_SHOULDER, 0]
    return dict(zip(sides if faces_camera else sides[::-1], lines, strict=True))


def _legs(body: Keypoints) -> dict[Part, _Points]:
    points = completed_legs(body).points.astype(np.float64)
    return {
        Part.RIGHT_LEG: points[[Joint.R_HIP, Joint.R_KNEE, Joint.R_ANKLE]],
        Part.LEFT_LEG: points[[Joint.L_HIP, Joint.L_KNEE, Joint.L_ANKLE]],
    }


def _head(points: _Points, body: Keypoints, unit: float) -> NDArray[np.bool_]:
    """(N,) within the head."""
    neck = body.points[Joint.NECK].astype(np.float64)
    if not body.sees(Joint.NOSE):
        return np.asarray(
            (points[:, 1] < neck[1] - _NO_NOSE * unit) & (np.abs(points[:, 0] - neck[0]) < _HEAD_HALF * unit)
        )
    nose = body.points[Joint.NOSE].astype(np.float64)
    up = nose - neck
    length = max(float(np.linalg.norm(up)), 1e-6)
    along = (points - nose) @ up / length
    aside = np.abs((points - nose) @ np.array([-up[1], up[0]])) / length
    return np.asarray((along > _ABOVE_CHIN * length) & (aside < _HEAD_HALF * unit))

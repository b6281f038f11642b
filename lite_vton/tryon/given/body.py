"""Where a body is by its keypoints: what a mask has to cover, and how well keypoints and a region agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lite_vton.category import Category
from lite_vton.errors import UserError
from lite_vton.mask.agnostic import agnostic_mask
from lite_vton.person.keypoints import Joint, Keypoints

__all__ = ["agreement", "core", "lies_like", "shrunk", "torso_length"]

Region = NDArray[np.bool_]

_ROWS = 160  # of the pictures that are compared; finer ones would tell no more
_TORSO = (Joint.R_SHOULDER, Joint.L_SHOULDER, Joint.R_HIP, Joint.L_HIP)
_FAR = 1e4  # pixels; cv2 takes no corner much farther out


def torso_length(keypoints: Keypoints) -> float:
    """From the middle of the shoulders to that of the hips, in pixels. `UserError` without shoulders or hips."""
    points = keypoints.completed().points.astype(np.float64)
    return float(np.linalg.norm(points[[Joint.R_HIP, Joint.L_HIP]].mean(0) - _shoulders(points).mean(0)))


def core(keypoints: Keypoints, height: int, width: int, category: Category = "upper") -> Region:
    """(height, width) the inner half of what a garment of `category` always covers: the torso, or hips to knees.

    Hands and hair may lie over the rim of it, and those are kept. Empty where it lies outside the picture, or where
    the knees are not seen.
    """
    import cv2

    points = keypoints.completed().points.astype(np.float64)
    hips = points[[Joint.L_HIP, Joint.R_HIP]]
    knees = [joint for joint in (Joint.R_KNEE, Joint.L_KNEE) if keypoints.sees(joint)]
    corners = np.vstack([hips, points[knees] if category == "lower" else _shoulders(points)])
    region = np.zeros((height, width), np.uint8)
    if category != "lower" or knees:
        centre = corners.mean(axis=0)
        inner = np.rint(np.clip(centre + 0.5 * (corners - centre), -_FAR, _FAR)).astype(np.int32)
        cv2.fillConvexPoly(region, cv2.convexHull(inner), (1,))
    return region > 0


def lies_like(keypoints: Keypoints, other: Keypoints) -> float:
    """How well two estimates of a torso agree: 1 where they are one, 0 where they lie a torso's length apart or more.

    Left and right may be the other way round: networks confuse them in people they see from behind.
    """
    mine, theirs = (each.completed().points[list(_TORSO)].astype(np.float64) for each in (keypoints, other))
    apart = min(float(np.linalg.norm(mine - theirs[order], axis=1).mean()) for order in ([0, 1, 2, 3], [1, 0, 3, 2]))
    return 1 - min(1.0, apart / max(torso_length(other), 1.0))


def agreement(keypoints: Keypoints, region: Region, category: Category = "upper") -> float:
    """Intersection over union of `region` (H, W) and what keypoints alone would repaint, in [0, 1]."""
    height, width = region.shape
    try:
        drawn = agnostic_mask(keypoints, height, width, category) > 0.5
    except UserError:  # too few joints to draw it
        return 0.0
    return float((drawn & region).sum()) / max(float((drawn | region).sum()), 1.0)


def shrunk(region: Region, keypoints: Keypoints) -> tuple[Region, Keypoints]:
    """Both at a size at which they are quickly compared."""
    import cv2

    scale = min(1.0, _ROWS / max(region.shape))
    height, width = (max(1, round(scale * side)) for side in region.shape)
    small = cv2.resize(region.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    factor = np.array([width / region.shape[1], height / region.shape[0]])
    return small, Keypoints((keypoints.points * factor).astype(np.float32), keypoints.confidence)


def _shoulders(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points[[Joint.R_SHOULDER, Joint.L_SHOULDER]]

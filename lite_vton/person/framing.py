"""The part of a photo that a try-on works on: around the torso, the dress or the legs, from the keypoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from lite_vton.errors import UserError

if TYPE_CHECKING:
    from lite_vton.category import Category
    from lite_vton.person.keypoints import Keypoints

from lite_vton.category import as_category
from lite_vton.photo.crop import Crop

__all__ = ["dress_crop", "leg_crop", "torso_crop", "worn_crop"]


# From head to upper thigh, in torso lengths (neck to middle of the hips), as VITON-HD frames its models.
_ABOVE_NECK = 0.9
_BELOW_HIPS = 0.55
_ARMS = 0.25  # room beside the outermost elbow or wrist
_ASPECT = 3 / 4

_BELOW_KNEES = 0.15  # of the torso's crop, for a dress

# From above the waist to the feet, in the same lengths.
_ABOVE_WAIST = 0.25
_BELOW_ANKLES = 0.25
_BESIDE_LEGS = 0.35


def torso_crop(keypoints: Keypoints, picture_height: int, picture_width: int) -> Crop:
    """The 3:4 crop around head, torso and upper thighs, all arms inside unless they reach far.

    `UserError` where the keypoints lack shoulders or hips, or lie outside the picture.
    """
    from lite_vton.person.keypoints import Joint

    keypoints.check_inside(picture_height, picture_width)
    body = keypoints.completed()
    points = body.points.astype(np.float64)
    hips = points[[Joint.R_HIP, Joint.L_HIP]].mean(axis=0)
    shoulders = points[[Joint.R_SHOULDER, Joint.L_SHOULDER]]
    # Someone bent or turned has a short torso or narrow shoulders, seldom both.
    torso = max(float(np.linalg.norm(hips - points[Joint.NECK])), float(np.ptp(shoulders[:, 0])), 8.0)
    upper = [joint for joint in (*range(8), 8, 11, 14, 15, 16, 17) if body.visible[joint]]
    top = min(points[Joint.NECK, 1] - _ABOVE_NECK * torso, points[upper, 1].min() - 0.3 * torso)
    bottom = max(points[[8, 11], 1].max(), points[Joint.NECK, 1]) + _BELOW_HIPS * torso
    height = bottom - top
    reach = [joint for joint in (2, 3, 4, 5, 6, 7, 8, 11) if body.visible[joint]]
    left, right = points[reach, 0].min() - _ARMS * torso, points[reach, 0].max() + _ARMS * torso
    # A stretched-out arm must not shrink the torso to nothing.
    height = min(max(height, (right - left) / _ASPECT), 1.4 * height)
    middle_x = (points[[2, 5, 8, 11], 0].mean() + (left + right) / 2) / 2
    return _three_to_four(float(middle_x), (top + bottom) / 2, height, picture_height, picture_width)


def dress_crop(keypoints: Keypoints, picture_height: int, picture_width: int) -> Crop:
    """`torso_crop`, and on to below the knees that are seen: a dress ends there, not where the torso's crop does."""
    from lite_vton.person.keypoints import Joint

    crop = torso_crop(keypoints, picture_height, picture_width)
    knees = [joint for joint in (Joint.R_KNEE, Joint.L_KNEE) if keypoints.sees(joint)]
    if not knees:
        return crop
    lowest = float(keypoints.points[knees, 1].max()) + _BELOW_KNEES * crop.height
    height = max(lowest - crop.top, float(crop.height))
    middle = crop.left + crop.width / 2
    return _three_to_four(middle, crop.top + height / 2, height, picture_height, picture_width)


def leg_crop(keypoints: Keypoints, picture_height: int, picture_width: int) -> Crop:
    """The 3:4 crop from a little above the waist to the feet, both legs inside; it ends with the photo.

    `UserError` where the keypoints lack shoulders, hips or knees, or lie outside the picture.
    """
    from lite_vton.person.keypoints import Joint
    from lite_vton.person.legs import Legs

    keypoints.check_inside(picture_height, picture_width)
    body = keypoints.completed()
    legs = Legs.of(body)
    lines = np.vstack([legs.pelvis.line, *(leg.line for leg in legs.legs)])
    room = legs.torso
    top, bottom = lines[:, 1].min() - _ABOVE_WAIST * room, lines[:, 1].max() + _BELOW_ANKLES * room
    # Legs that the photo cuts off end with it.
    if not body.sees(Joint.R_ANKLE, Joint.L_ANKLE):
        seen = body.points[body.visible][:, 1].max()
        bottom = max(min(bottom, picture_height), float(seen))
    left, right = lines[:, 0].min() - _BESIDE_LEGS * room, lines[:, 0].max() + _BESIDE_LEGS * room
    height = max(bottom - top, (right - left) / _ASPECT)
    # The torso is more worth seeing than what lies below the photo.
    middle = min((top + bottom) / 2, max(picture_height, bottom) - height / 2)
    return _three_to_four((left + right) / 2, middle, height, picture_height, picture_width)


_CROPS: dict[Category, Callable[[Keypoints, int, int], Crop]] = {
    "upper": torso_crop,
    "dress": dress_crop,
    "lower": leg_crop,
}


def worn_crop(keypoints: Keypoints, picture_height: int, picture_width: int, category: str = "upper") -> Crop:
    """The 3:4 crop around where a garment of `category` is worn. `UserError` as for that crop."""
    return _CROPS[as_category(category)](keypoints, picture_height, picture_width)


def _three_to_four(middle_x: float, middle_y: float, height: float, picture_height: int, picture_width: int) -> Crop:
    # Whole multiples of 3 and 4 keep the aspect exact.
    unit = max(1, round(height / 4))
    if 12 * unit * unit > 16 * picture_height * picture_width:
        raise UserError(
            f"the keypoints describe a person far larger than the {picture_width}x{picture_height} picture: "
            "give keypoints in pixels of this very photo"
        )
    return Crop(round(middle_x - 1.5 * unit), round(middle_y - 2 * unit), 3 * unit, 4 * unit)

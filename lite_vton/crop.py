"""The part of a photo a try-on repaints: where it is, cutting it out, and pasting the result back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError

if TYPE_CHECKING:
    from lite_vton.mask import Category
    from lite_vton.pose import Keypoints

__all__ = [
    "Crop",
    "dress_crop",
    "leg_crop",
    "paste_back",
    "paste_mask",
    "take_crop",
    "take_labels",
    "torso_crop",
    "worn_crop",
]


@dataclass(frozen=True)
class Crop:
    """A rectangle in photo pixels. It may reach outside the photo, where the photo's edge is repeated."""

    left: int
    top: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a crop needs a positive size, not {self.width}x{self.height}")


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
    from lite_vton.pose import Joint

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
    from lite_vton.pose import Joint

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
    from lite_vton.legs import Legs
    from lite_vton.pose import Joint

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
    from lite_vton.mask import as_category

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


def take_crop(pixels: NDArray[np.uint8], crop: Crop, height: int, width: int) -> NDArray[np.uint8]:
    """`crop` of pixels (H, W[, C]) resized to (height, width[, C]); outside the photo its edge is repeated."""
    import cv2

    rows = np.clip(np.arange(crop.top, crop.top + crop.height), 0, pixels.shape[0] - 1)
    columns = np.clip(np.arange(crop.left, crop.left + crop.width), 0, pixels.shape[1] - 1)
    part = pixels[rows[:, None], columns]
    shrinks = crop.height > height or crop.width > width
    resized = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return np.asarray(resized, np.uint8)


def take_labels(labels: NDArray[np.uint8], crop: Crop, height: int, width: int) -> NDArray[np.uint8]:
    """`crop` of labels (H, W) at (height, width), each the nearest pixel's own, since labels have no averages."""
    rows = crop.top + ((np.arange(height) + 0.5) * crop.height / height).astype(int)
    columns = crop.left + ((np.arange(width) + 0.5) * crop.width / width).astype(int)
    rows, columns = np.clip(rows, 0, labels.shape[0] - 1), np.clip(columns, 0, labels.shape[1] - 1)
    return np.ascontiguousarray(labels[rows[:, None], columns])


def paste_mask(
    mask: NDArray[np.float32], crop: Crop, picture_height: int, picture_width: int, feather: float = 0.015
) -> NDArray[np.float32]:
    """The crop's repaint mask (h, w) at the photo's resolution, (H, W) float32 in [0, 1].

    It falls to 0 inside the mask over `feather` of the crop's width, so exactly 0 everywhere outside it.
    """
    import cv2

    full = np.zeros((picture_height, picture_width), np.float32)
    inside = _overlap(crop, picture_height, picture_width)
    if inside is None:
        return full
    hard = cv2.resize(mask.astype(np.float32), (crop.width, crop.height), interpolation=cv2.INTER_LINEAR) > 0.5
    # A frame of one pixel makes the crop's own border an edge too.
    framed = np.pad(hard.astype(np.uint8), 1)
    distance = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    ramp = np.clip(distance / max(1.0, feather * crop.width), 0, 1)
    target, source = inside
    full[target] = (ramp * ramp * (3 - 2 * ramp))[source]
    return full


def paste_back(
    photo: NDArray[np.uint8], crop: Crop, result: NDArray[np.uint8], mask: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """photo (H, W, 3) with `result` (h, w, 3) in `crop`, blended by `paste_mask` of mask (h, w).

    Every pixel where that mask is 0 is the photo's own, bit for bit.
    """
    import cv2

    height, width = photo.shape[:2]
    inside = _overlap(crop, height, width)
    pasted = photo.copy()
    if inside is None:
        return pasted
    target, source = inside
    alpha = paste_mask(mask, crop, height, width)[target][..., None]
    shrinks = crop.height < result.shape[0] or crop.width < result.shape[1]
    painted = cv2.resize(
        result, (crop.width, crop.height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    )[source].astype(np.float32)
    original = photo[target].astype(np.float32)
    blend = np.rint(original + alpha * (painted - original))
    pasted[target] = np.where(alpha > 0, blend, original).astype(np.uint8)
    return pasted


def _overlap(crop: Crop, height: int, width: int) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """Slices of the photo and of the crop that show the same pixels; None where they do not meet."""
    top, bottom = max(0, crop.top), min(height, crop.top + crop.height)
    left, right = max(0, crop.left), min(width, crop.left + crop.width)
    if top >= bottom or left >= right:
        return None
    source = slice(top - crop.top, bottom - crop.top), slice(left - crop.left, right - crop.left)
    return (slice(top, bottom), slice(left, right)), source

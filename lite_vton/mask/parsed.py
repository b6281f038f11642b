"""An agnostic mask made exact by a parse: all of the old garment goes; hair, face and what it is tucked into stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from lite_vton.category import Category, as_category
from lite_vton.person.keypoints import Joint, Keypoints
from lite_vton.person.parse_labels import BOTTOM, GARMENT, Part

__all__ = ["TAKEN_OFF", "TakenOff", "parsed_mask"]


@dataclass(frozen=True)
class TakenOff:
    """The `parts` of a parse that a garment takes the place of, and what they are called where there is "no ..."."""

    parts: tuple[Part, ...]
    name: str


_TOP, _LOWER = TakenOff(GARMENT, "upper garment and no dress"), TakenOff(BOTTOM, "trousers and no skirt")
TAKEN_OFF: Mapping[Category, TakenOff] = MappingProxyType({"upper": _TOP, "dress": _TOP, "lower": _LOWER})
"""What a garment of each category takes the place of."""

_HEAD = (Part.HAIR, Part.FACE)
_ARMS = (Part.LEFT_ARM, Part.RIGHT_ARM)
_SHOES = (Part.LEFT_SHOE, Part.RIGHT_SHOE)
_SPARED: dict[Category, tuple[Part, ...]] = {
    "upper": _HEAD,
    "dress": _HEAD,
    "lower": (*_HEAD, *_ARMS, *_SHOES, Part.UPPER_CLOTHES, Part.COAT, Part.TORSO_SKIN),
}

_WAIST = 0.9
"""Torso lengths below the neck point: a waistband seen above it was not covered by a garment.

On drawn people it lies at 0.77 to 0.89 where the garment is tucked in and at 0.96 or lower where it hangs over."""


def parsed_mask(
    mask: NDArray[np.float32], parse: NDArray[np.uint8], keypoints: Keypoints, category: str = "upper"
) -> NDArray[np.float32]:
    """`mask` (H, W) in {0, 1}, from keypoints, corrected by `parse` (H, W), LIP labels of the same picture.

    Every pixel of the old garment is repainted, also beside a hand. Hair and face are not, nor trousers or a skirt
    that the garment is tucked into: it stays tucked in, as with published VITON-HD masks. A garment that hangs over
    the waistband stays covered to below its hem, since where trousers begin would tell its length. A "dress" has no
    waistband. Of "lower" garments the old trousers or skirt go; what is worn above them, also where it hangs over, arms
    and shoes stay. Colours mix where parts meet, so one pixel more around the garment goes, and one less of the rest
    stays.
    """
    import cv2

    kind = as_category(category)
    spared = np.isin(parse, _SPARED[kind])
    bottom = np.isin(parse, BOTTOM)
    if kind == "upper" and _waistband_shows(bottom, keypoints):
        spared |= bottom
    around = np.ones((3, 3), np.uint8)
    garment = cv2.dilate(np.isin(parse, TAKEN_OFF[kind].parts).astype(np.uint8), around)
    # Beyond the picture there is nothing to mix with.
    kept = cv2.erode(spared.astype(np.uint8), around, borderValue=(1.0,))
    return np.where((kept == 0) & ((garment > 0) | (mask > 0.5)), np.float32(1), np.float32(0))


def _waistband_shows(bottom: NDArray[np.bool_], keypoints: Keypoints) -> bool:
    """Whether `bottom` begins above the hips in the middle column between them."""
    points = keypoints.completed().points.astype(np.float64)
    neck, right, left = (points[joint] for joint in (Joint.NECK, Joint.R_HIP, Joint.L_HIP))
    low, high = (int(edge) for edge in np.clip(np.rint(sorted((right[0], left[0]))), 0, bottom.shape[1] - 1))
    between = bottom[:, low : high + 1]
    between = between[:, between.any(axis=0)]
    if not between.size:
        return False
    length = float((right[1] + left[1]) / 2 - neck[1])
    return bool(np.median(between.argmax(axis=0)) < neck[1] + _WAIST * length)

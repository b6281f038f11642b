"""One photo of somebody and the garment worn in it, laid flat: what every change of the mix takes and gives."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lite_vton.crop import Crop, take_crop, take_labels
from lite_vton.data.labels import GARMENT, Part
from lite_vton.garment import Cutout
from lite_vton.mask import Category
from lite_vton.pose import Joint, Keypoints

__all__ = ["Worn", "framed", "mirrored"]

_TWINS: tuple[tuple[Part, Part], ...] = (
    (Part.LEFT_ARM, Part.RIGHT_ARM),
    (Part.LEFT_LEG, Part.RIGHT_LEG),
    (Part.LEFT_SHOE, Part.RIGHT_SHOE),
)
_JOINTS = [
    Joint[name.replace("R_", "L_") if name.startswith("R_") else name.replace("L_", "R_")] for name in Joint.__members__
]
"""For each joint the one it becomes in a mirror."""


@dataclass(frozen=True)
class Worn:
    """`picture` (H, W, 3) uint8 RGB, `parse` (H, W) uint8 LIP labels of it, `keypoints` in its pixels."""

    picture: NDArray[np.uint8]
    parse: NDArray[np.uint8]
    keypoints: Keypoints
    garment: Cutout
    category: Category

    @property
    def worn(self) -> NDArray[np.bool_]:
        """(H, W) where the picture shows the garment."""
        return np.isin(self.parse, GARMENT)


def mirrored(worn: Worn) -> Worn:
    """As seen in a mirror: left and right change places, in the parse and the skeleton too."""
    labels = np.arange(256, dtype=np.uint8)
    for left, right in _TWINS:
        labels[left], labels[right] = right, left
    points = worn.keypoints.points[_JOINTS].copy()
    points[:, 0] = worn.picture.shape[1] - points[:, 0]
    garment = worn.garment
    return replace(
        worn,
        picture=np.ascontiguousarray(worn.picture[:, ::-1]),
        parse=np.ascontiguousarray(labels[worn.parse[:, ::-1]]),
        keypoints=Keypoints(points, worn.keypoints.confidence[_JOINTS]),
        garment=Cutout(np.ascontiguousarray(garment.pixels[:, ::-1]), np.ascontiguousarray(garment.mask[:, ::-1])),
    )


def framed(worn: Worn, rng: np.random.Generator, height: int, width: int) -> Worn:
    """A part of the picture, or a little more than all of it, at (height, width): people stand nearer or farther."""
    tall, wide = worn.picture.shape[:2]
    scale = rng.uniform(0.86, 1.06)
    crop = Crop(
        left=round((1 - scale) * wide * rng.uniform(0.3, 0.7)),
        top=round((1 - scale) * tall * rng.uniform(0.2, 0.8)),
        width=round(scale * wide),
        height=round(scale * tall),
    )
    return replace(
        worn,
        picture=take_crop(worn.picture, crop, height, width),
        parse=take_labels(worn.parse, crop, height, width),
        keypoints=worn.keypoints.moved(crop, height, width),
    )

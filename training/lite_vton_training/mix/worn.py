"""One photo of somebody and the garment worn in it, laid flat: what every change of the mix takes and gives."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lite_vton.category import Category
from lite_vton.garment.cutout import Cutout
from lite_vton.person.keypoints import Joint, Keypoints
from lite_vton.person.parse_labels import GARMENT, Part

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
        garment=Cutout(
            np.ascontiguousarray(garment.pixels[:, ::-1]),
            np.ascontiguousarray(garment.mask[:, ::-1]),
            None if garment.cut is None else garment.cut.mirrored(garment.mask.shape[1]),
        ),
    )


def framed(worn: Worn, rng: np.random.Generator, height: int, width: int) -> Worn:
    """The picture at (height, width), nearer or farther, a little turned and shifted; its edge is repeated."""
    import cv2

    tall, wide = worn.picture.shape[:2]
    nearer, angle = float(np.exp(rng.uniform(-0.08, 0.28))), float(rng.normal(0, 3.5))
    turn = cv2.getRotationMatrix2D((wide / 2, tall / 2), angle, nearer * height / tall)
    shift = np.array([width - wide, height - tall]) / 2 + rng.normal(0, 0.03, 2) * (width, height)
    moved = np.column_stack([turn[:, :2], turn[:, 2] + shift])
    size = (width, height)
    picture = cv2.warpAffine(worn.picture, moved, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    parse = cv2.warpAffine(worn.parse, moved, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    points = worn.keypoints.points @ moved[:, :2].T + moved[:, 2]
    return replace(
        worn,
        picture=np.asarray(picture, np.uint8),
        parse=np.asarray(parse, np.uint8),
        keypoints=Keypoints(points.astype(np.float32), worn.keypoints.confidence),
    )

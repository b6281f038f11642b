"""From a person's photo, keypoints and a garment to everything the network is told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lite_vton.crop import Crop, take_crop, torso_crop
from lite_vton.garment import Cutout, on_white
from lite_vton.inputs import TryOnInputs
from lite_vton.mask import agnostic_mask
from lite_vton.photo import Photo
from lite_vton.pose import Keypoints, skeleton_picture
from lite_vton.warp import warp_garment

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """One try-on at the model's size, with the pictures on the way for whoever wants to look.

    `inputs` what the network gets; `crop` where in the photo the result belongs.
    `person_crop`, `warped`, `skeleton` (H, W, 3) uint8 RGB; `warped_mask` (H, W) float32 in [0, 1];
    `mask` (H, W) float32 in {0, 1}, 1 = repaint.
    """

    inputs: TryOnInputs
    crop: Crop
    person_crop: NDArray[np.uint8]
    warped: NDArray[np.uint8]
    warped_mask: NDArray[np.float32]
    mask: NDArray[np.float32]
    skeleton: NDArray[np.uint8]


def prepare(
    person: Photo, keypoints: Keypoints, garment: Cutout, height: int, width: int, category: str = "upper"
) -> Prepared:
    """`keypoints` in pixels of `person`; the result at (height, width), the model's size.

    `UserError` for keypoints without shoulders or hips or outside the photo, an unknown category, an empty garment.
    """
    crop = torso_crop(keypoints, person.height, person.width)
    person_crop = take_crop(person.pixels, crop, height, width)
    moved = keypoints.moved(crop, height, width)
    mask = agnostic_mask(moved, height, width, category)
    warped, warped_mask = warp_garment(garment.pixels, garment.mask, moved, height, width, category)
    skeleton = skeleton_picture(moved, height, width)
    inputs = TryOnInputs.compose(person_crop, mask, warped, warped_mask, skeleton, on_white(garment))
    return Prepared(inputs, crop, person_crop, warped, warped_mask, mask, skeleton)

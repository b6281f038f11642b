"""What a caller knows of two photos beside the photos themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lite_vton.person.keypoints import Keypoints

__all__ = ["Known"]


@dataclass(frozen=True)
class Known:
    """Trusted more than what is found in the photos, unless it cannot be of them (`lite_vton.tryon.given`).

    `keypoints`     in pixels of the person's photo
    `parse`         (H, W) uint8, LIP labels of the person's photo: makes an improved mask exact
    `repaint`       (H, W) uint8 of the person's photo, > 127 = repaint; taken instead of any other mask
    `garment_mask`  (h, w[, C]) uint8 of the garment's photo, > 127 = garment
    `person_index`  who of several people, from 0, the largest
    `pose_model`    DWPose's ONNX file, or the folder of both, to find people with in place of MediaPipe
    """

    keypoints: Keypoints | None = None
    parse: NDArray[np.uint8] | None = None
    repaint: NDArray[np.uint8] | None = None
    garment_mask: NDArray[np.uint8] | None = None
    person_index: int | None = None
    pose_model: Path | None = None

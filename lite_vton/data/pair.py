"""One person and one garment, in pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lite_vton.person.keypoints import Keypoints

__all__ = ["Pair"]


@dataclass(frozen=True)
class Pair:
    """`person` and `cloth` (H, W, 3) uint8, `parse` (H, W) uint8 LIP labels, `cloth_mask` (H, W) uint8 in {0, 255}."""

    person: NDArray[np.uint8]
    parse: NDArray[np.uint8]
    keypoints: Keypoints
    cloth: NDArray[np.uint8]
    cloth_mask: NDArray[np.uint8]
    category: str

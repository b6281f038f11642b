"""How sharp a painted region is beside the photograph it should be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lite_vton_training.metrics.similarity import Picture

__all__ = ["relative_sharpness"]


def relative_sharpness(picture: Picture, target: Picture, inside: NDArray[np.bool_]) -> float:
    """Mean squared gradient of `picture` over that of `target`, where `inside` (H, W) is true with all its neighbours.

    1 means as sharp; a blurred picture has less, noise has more. A squared error rewards blur, this does not: read the
    two together. (The gradient's energy as a measure of focus: Tenenbaum 1970, here by central differences of luma.)
    nan where nothing is inside or the target is flat there.
    """
    core = np.zeros_like(inside)
    core[1:-1, 1:-1] = inside[1:-1, 1:-1] & inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    wanted = _energy(target, core)
    return _energy(picture, core) / wanted if wanted > 0 else float("nan")


def _energy(picture: Picture, core: NDArray[np.bool_]) -> float:
    luma = picture.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    down, right = np.gradient(luma)
    return float((down**2 + right**2)[core].mean()) if core.any() else 0.0

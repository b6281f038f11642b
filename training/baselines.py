"""What somebody would do without a network: the warped garment pasted into the photo, and blended in by OpenCV."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lite_vton.data.sample import TryOnSample
from lite_vton.inputs import to_picture
from training.metrics import Picture
from training.poisson import poisson_clone

__all__ = ["inpainted_warp", "pasted_warp", "poisson_warp"]

_RADIUS = 3  # pixels around a hole that Telea's method looks at; 5, 10 and 15 score the same


def pasted_warp(sample: TryOnSample) -> Picture:
    """The masked person as the network is told it: grey where neither person nor garment is known."""
    return to_picture(sample.inputs.masked_person)


def inpainted_warp(sample: TryOnSample) -> Picture:
    """The warped garment pasted onto the person, whose repaint region was filled from around it (Telea 2004).

    From around it alone: were the garment known too, its colour would spread over arms and background, and score less.
    """
    cover = _cover(sample)[..., None]
    return np.rint(sample.warped * cover + _without_garment(sample) * (1 - cover)).astype(np.uint8)


def poisson_warp(sample: TryOnSample) -> Picture:
    """The same with the garment blended in by Poisson's equation; where no garment is, only filled."""
    inside = sample.inputs.mask[0, 0] > 0.5
    cloned = poisson_clone(sample.warped, _without_garment(sample), _cover(sample) > 0.5)
    return np.where(inside[..., None], cloned, to_picture(sample.inputs.person))


def _cover(sample: TryOnSample) -> NDArray[np.float32]:
    """(H, W) in [0, 1]: the garment's share of each pixel, none of it outside the repaint mask."""
    return np.where(sample.inputs.mask[0, 0] > 0.5, sample.warped_mask, np.float32(0))


def _without_garment(sample: TryOnSample) -> Picture:
    import cv2

    hole = (sample.inputs.mask[0, 0] > 0.5).astype(np.uint8)
    filled = cv2.inpaint(to_picture(sample.inputs.person), hole, _RADIUS, cv2.INPAINT_TELEA)
    return np.asarray(filled, np.uint8)

"""What somebody would do without a network: the warped garment pasted into the photo, and blended in by OpenCV."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lite_vton.data.sample import TryOnSample
from lite_vton.tryon.inputs import to_picture
from lite_vton_training.metrics import Picture
from lite_vton_training.metrics.poisson import poisson_clone

__all__ = ["inpainted_warp", "pasted_warp", "poisson_warp"]

_RADIUS = 10  # pixels that Telea's method looks at around each it fills; 20 gain less than 0.1 dB for twice the time


def pasted_warp(sample: TryOnSample) -> Picture:
    """The masked person as the network is told it: grey where neither person nor garment is known."""
    return to_picture(sample.inputs.masked_person)


def inpainted_warp(sample: TryOnSample) -> Picture:
    """The pasted warp, the rest of the mask filled from what is around it, person and garment (Telea 2004)."""
    cover = _cover(sample)
    known = np.where(cover[..., None] > 0.5, sample.warped, to_picture(sample.inputs.person))
    filled = _filled(known, _inside(sample) & (cover <= 0.5))
    return np.rint(sample.warped * cover[..., None] + filled * (1 - cover[..., None])).astype(np.uint8)


def poisson_warp(sample: TryOnSample) -> Picture:
    """The garment blended by Poisson's equation into the inpainted picture; that picture where no garment is.

    What was filled beside the garment continues it, so that it keeps its colour and is fitted at its outline. Blended
    into a person filled without it, it would take the colours of arms and background and score far less.
    """
    cloned = poisson_clone(sample.warped, inpainted_warp(sample), _cover(sample) > 0.5)
    return np.where(_inside(sample)[..., None], cloned, to_picture(sample.inputs.person))


def _inside(sample: TryOnSample) -> NDArray[np.bool_]:
    return np.asarray(sample.inputs.mask[0, 0] > 0.5)


def _cover(sample: TryOnSample) -> NDArray[np.float32]:
    """(H, W) in [0, 1]: the garment's share of each pixel, none of it outside the repaint mask."""
    return np.where(_inside(sample), sample.warped_mask, np.float32(0))


def _filled(picture: Picture, hole: NDArray[np.bool_]) -> Picture:
    import cv2

    return np.asarray(cv2.inpaint(picture, hole.astype(np.uint8), _RADIUS, cv2.INPAINT_TELEA), np.uint8)

"""Everything the network is told about one try-on, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FloatArray", "TryOnInputs", "latent_mask", "to_network", "to_picture"]

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class TryOnInputs:
    """One person crop and one garment, prepared at the model's own size. All float32, NCHW.

    `person`         (1, 3, H, W) in [-1, 1], the untouched crop, pasted back outside the mask
    `mask`           (1, 1, H, W) in {0, 1}, 1 = repaint
    `masked_person`  (1, 3, H, W) in [-1, 1], the person with the repaint region grey (0.0) and the
                     warped garment pasted into it: condition and warm start at once
    `pose`           (1, 3, H, W) in [-1, 1], the skeleton drawn on black
    `garment`        (1, 3, 224, 224) in [-1, 1], the whole garment on white, as CLIP's image tower sees it; models
                     without one need none
    """

    person: FloatArray
    mask: FloatArray
    masked_person: FloatArray
    pose: FloatArray
    garment: FloatArray | None = None

    @classmethod
    def compose(
        cls,
        person: NDArray[np.uint8],
        mask: NDArray[np.float32],
        warped_garment: NDArray[np.uint8],
        warped_mask: NDArray[np.float32],
        skeleton: NDArray[np.uint8],
        garment: NDArray[np.uint8] | None = None,
    ) -> TryOnInputs:
        """From pictures of the model's size: (H, W, 3) uint8 and (H, W) float32 in [0, 1].

        `warped_mask` may be soft at its border; only the part inside `mask` is pasted. `garment` (224, 224, 3) uint8
        is what `lite_vton.garment.cutout.on_white` gives.
        """
        picture = to_network(person)
        repaint = np.ascontiguousarray(mask[None, None] > 0.5, dtype=np.float32)
        paste = repaint * warped_mask[None, None].astype(np.float32)
        masked = picture * (1 - repaint) + to_network(warped_garment) * paste
        shown = None if garment is None else to_network(garment)
        return cls(picture, repaint, masked.astype(np.float32), to_network(skeleton), shown)


def latent_mask(mask: FloatArray, downscale: int = 8) -> FloatArray:
    """Mask (1, 1, H, W) at latent size: 1 where any pixel of the position is repainted."""
    n, c, height, width = mask.shape
    tiles = mask.reshape(n, c, height // downscale, downscale, width // downscale, downscale)
    return np.ascontiguousarray(tiles.max(axis=(3, 5)))


def to_network(picture: NDArray[np.uint8]) -> FloatArray:
    """(H, W, 3) uint8 RGB to (1, 3, H, W) float32 in [-1, 1]."""
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1.0)


def to_picture(tensor: FloatArray) -> NDArray[np.uint8]:
    """(1, 3, H, W) float32 in [-1, 1] to (H, W, 3) uint8 RGB, clipped and rounded."""
    pixels = np.clip((tensor[0].transpose(1, 2, 0) + 1.0) * 127.5, 0, 255)
    return np.ascontiguousarray(np.rint(pixels).astype(np.uint8))

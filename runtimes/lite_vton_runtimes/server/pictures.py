"""What the server answers with: arrays as npz, pictures as PNG."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from lite_vton.photo.encoding import encode_png
from lite_vton.tryon.prepare import Prepared

__all__ = ["npz_of", "png_of"]


def png_of(pixels: NDArray[np.uint8], icc_profile: bytes | None = None) -> bytes:
    """(H, W, 3) RGB or (H, W, 4) RGBA, uint8, as PNG; a little larger than need be, since somebody waits."""
    content = io.BytesIO()
    encode_png(content, pixels, icc_profile)
    return content.getvalue()


def npz_of(prepared: Prepared, with_garment: bool) -> bytes:
    """What a browser needs to go on: arrays by name.

    `inputs.*` float32, the fields of `TryOnInputs` (`garment` only if asked for); for people to see, `preview.person`,
    `.warp`, `.pose` (H, W, 3) and `.mask` (H, W) uint8; `crop` (4,) int64, left, top, width, height in the photo.
    """
    inputs, crop = prepared.inputs, prepared.crop
    arrays: dict[str, NDArray[np.generic]] = {
        "inputs.person": inputs.person,
        "inputs.mask": inputs.mask,
        "inputs.masked_person": inputs.masked_person,
        "inputs.pose": inputs.pose,
        "preview.person": prepared.person_crop,
        "preview.mask": (prepared.mask * 255).astype(np.uint8),
        "preview.pose": prepared.skeleton,
        "preview.warp": prepared.warped,
        "crop": np.array([crop.left, crop.top, crop.width, crop.height], np.int64),
    }
    if with_garment and inputs.garment is not None:
        arrays["inputs.garment"] = inputs.garment
    content = io.BytesIO()
    np.savez(content, **{name: np.ascontiguousarray(array) for name, array in arrays.items()})
    return content.getvalue()

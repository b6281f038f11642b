"""Cutting a garment out of its photo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton.garment.cut import Cut
from lite_vton.garment.given_mask import check_garment_mask
from lite_vton.garment.region import find_region
from lite_vton.garment.upright import completed, upright
from lite_vton.photo.files import Photo
from lite_vton.photo.frame import cuts_out, within_alpha, without_frame

__all__ = ["CLIP_SIDE", "Cutout", "cut_out", "on_white"]


@dataclass(frozen=True)
class Cutout:
    """A garment without its background, cropped to a margin around it.

    `pixels` (h, w, 3) uint8 RGB, background still in it; `mask` (h, w) float32 in [0, 1], 1 = garment. `cut` in pixels
    of it, where that is known and need not be read off the mask.
    """

    pixels: NDArray[np.uint8]
    mask: NDArray[np.float32]
    cut: Cut | None = None


CLIP_SIDE = 224
"""Pixels along a side of the picture that CLIP's image tower takes."""

_RIM = 2  # pixels
_SMALLEST = 96  # pixels; in fewer no print can be told
_MARGIN = 0.03


def on_white(cutout: Cutout) -> NDArray[np.uint8]:
    """The whole garment in the middle of a white square (224, 224, 3), for CLIP; its proportions are kept.

    White and margins are the shop's, so that a photo with another background gives the tokens a shop's photo would.
    """
    import cv2

    height, width = cutout.mask.shape
    shown = cutout.mask[..., None]
    picture = cutout.pixels * shown + 255.0 * (1 - shown)
    scale = CLIP_SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = np.clip(cv2.resize(picture.astype(np.float32), size, interpolation=method), 0, 255)
    square = np.full((CLIP_SIDE, CLIP_SIDE, 3), 255, np.uint8)
    top, left = (CLIP_SIDE - size[1]) // 2, (CLIP_SIDE - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = np.rint(small)
    return square


def cut_out(
    photo: Photo, mask: NDArray[np.uint8] | None = None, cut: Cut | None = None, mask_name: str = "the garment mask"
) -> Cutout:
    """The garment by `mask` if given, else by the photo's own alpha if that cuts it out, else by its colours.

    `mask` (H, W) or (H, W, C) uint8, > 127 = garment. What frames a photo is no part of it. Where colours tell, a
    garment that lies askew is set upright, and one that a side of the picture cuts is completed with its mirror image.
    `cut`, in pixels of the photo, goes with a mask, which errors call `mask_name`.
    `UserError` where the mask cannot be of this photo (`lite_vton.tryon.given`); where nothing that could be a garment
    is found, several things that could, less than half of one, or one of less than about 100 pixels.
    """
    if mask is not None:
        flat = mask if mask.ndim == 2 else mask[..., :3].max(axis=2)
        check_garment_mask(flat, photo.pixels, mask_name)
        soft = flat.astype(np.float32) / 255
    elif photo.alpha is not None and cuts_out(photo.alpha):
        soft = photo.alpha.astype(np.float32) / 255
    else:
        found = _found_by_colour(photo)
        size = max(int((found.mask > 0.5).any(axis=axis).sum()) for axis in (0, 1))
        if size < _SMALLEST:
            raise UserError(
                f"the garment is only {size} pixels large in its photo: use a photo that shows it at least "
                f"{_SMALLEST} pixels across"
            )
        return found
    if float((soft > 0.5).mean()) < 1e-3:
        raise UserError(f"{mask_name} is empty: mark the garment white, or leave the mask out")
    return _trimmed(photo.pixels, soft * _given_piece(soft > 0.5), cut)


def _found_by_colour(photo: Photo) -> Cutout:
    seen = photo.pixels if photo.alpha is None else within_alpha(photo.pixels, photo.alpha)
    inside = without_frame(seen)
    try:
        return _trimmed(*upright(*completed(inside, find_region(inside, photo.name))))
    except UserError:
        if inside.shape == seen.shape:
            raise
        # A garment of straight sides was taken for the picture in a frame.
        return _trimmed(*upright(*completed(seen, find_region(seen, photo.name))))


def _given_piece(found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected piece, and the mask's own soft rim around it."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8), connectivity=8)
    if count < 2:
        return np.zeros(found.shape, bool)
    piece = np.asarray(labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()), np.uint8)
    return np.asarray(cv2.dilate(piece, np.ones((2 * _RIM + 1,) * 2, np.uint8)) > 0)


def _trimmed(pixels: NDArray[np.uint8], mask: NDArray[np.float32], cut: Cut | None = None) -> Cutout:
    rows, columns = np.flatnonzero(mask.max(axis=1) > 0.5), np.flatnonzero(mask.max(axis=0) > 0.5)
    pad = round(_MARGIN * max(len(rows), len(columns))) + 1
    box = (
        slice(max(0, rows[0] - pad), rows[-1] + pad + 1),
        slice(max(0, columns[0] - pad), columns[-1] + pad + 1),
    )
    return Cutout(
        np.ascontiguousarray(pixels[box]),
        np.ascontiguousarray(mask[box], dtype=np.float32),
        None if cut is None else cut.moved(box[1].start, box[0].start),
    )

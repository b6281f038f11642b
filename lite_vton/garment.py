"""Cutting a garment out of its photo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton.photo import Photo

__all__ = ["CLIP_SIDE", "Cutout", "cut_out", "on_white"]


@dataclass(frozen=True)
class Cutout:
    """A garment without its background, cropped to a margin around it.

    `pixels` (h, w, 3) uint8 RGB, background still in it; `mask` (h, w) float32 in [0, 1], 1 = garment.
    """

    pixels: NDArray[np.uint8]
    mask: NDArray[np.float32]


CLIP_SIDE = 224
"""Pixels along a side of the picture that CLIP's image tower takes."""

_WORKING_SIDE = 400  # GrabCut's time grows with the area; a silhouette needs no more
_BORDER = 0.02  # of the shorter side: taken for background
_UNIFORM = 9.0  # spread of the border's CIELAB colours below which the background counts as one colour
_MIN_AREA, _MAX_AREA = 0.02, 0.97  # of the picture
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


def cut_out(photo: Photo, mask: NDArray[np.uint8] | None = None) -> Cutout:
    """The garment by `mask` if given, else by the photo's own alpha, else by its colours.

    `mask` (H, W) or (H, W, C) uint8, > 127 = garment. A background of one colour is removed by colour, any other
    by GrabCut, which takes the border for background. The largest piece is kept, holes that do not show the
    background are closed.
    `UserError` where the mask has another size, or nothing that could be a garment is found.
    """
    if mask is not None:
        flat = mask if mask.ndim == 2 else mask[..., :3].max(axis=2)
        if flat.shape != photo.pixels.shape[:2]:
            raise UserError(
                f"the garment mask is {flat.shape[1]}x{flat.shape[0]} and its photo {photo.width}x{photo.height}: "
                "give a mask of the photo's size"
            )
        soft = flat.astype(np.float32) / 255
    elif photo.alpha is not None:
        soft = photo.alpha.astype(np.float32) / 255
    else:
        return _trimmed(photo.pixels, _by_colour(photo.pixels))
    if float((soft > 0.5).mean()) < 1e-3:
        raise UserError("the garment's mask is empty: mark the garment white, or leave the mask out")
    return _trimmed(photo.pixels, soft * _largest_piece(soft > 0.5, grow=2))


def _by_colour(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    import cv2

    height, width = pixels.shape[:2]
    scale = min(1.0, _WORKING_SIDE / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    strip = max(2, round(_BORDER * min(size)))
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    border = np.ones(small.shape[:2], bool)
    border[strip:-strip, strip:-strip] = False
    colour = np.median(lab[border], axis=0)
    distance = np.linalg.norm(lab - colour, axis=2)
    # A garment may touch one side of the picture: three quarters of the border speak for the background.
    uniform = float(np.quantile(distance[border], 0.75)) < _UNIFORM
    found = _unlike_background(distance, border) if uniform else _grabbed(small, strip)
    piece = _largest_piece(found)
    blank = float((distance > _UNIFORM).mean()) < _MIN_AREA / 2  # GrabCut would find something even in that
    if uniform and not blank and not _MIN_AREA < float(piece.mean()) < _MAX_AREA:
        piece = _largest_piece(_grabbed(small, strip))
    if not _MIN_AREA < float(piece.mean()) < _MAX_AREA:
        raise UserError(
            "no garment found in the photo: lay it flat on a plain background of another colour, or give a mask"
        )
    soft = cv2.resize(piece.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(soft, 0, 1), np.float32)


def _unlike_background(distance: NDArray[np.float32], border: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Everything not joined to the border through pixels of the background's colour."""
    import cv2

    spread = float(np.quantile(distance[border], 0.75))
    like = (distance < max(6.0, 2.5 * spread)).astype(np.uint8)
    # Joined across thin lines of another colour, such as the joints of tiles.
    width = 2 * max(1, min(like.shape) // 100) + 1
    joined = cv2.morphologyEx(like, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    _, labels = cv2.connectedComponents(joined, connectivity=4)
    outside = np.unique(labels[border & (like > 0)])
    return ~(np.isin(labels, outside) & (like > 0))


def _grabbed(small: NDArray[np.uint8], strip: int) -> NDArray[np.bool_]:
    import cv2

    height, width = small.shape[:2]
    labels = np.full((height, width), cv2.GC_PR_FGD, np.uint8)
    labels[:strip], labels[-strip:] = cv2.GC_BGD, cv2.GC_BGD
    labels[:, :strip], labels[:, -strip:] = cv2.GC_BGD, cv2.GC_BGD
    y, x = np.mgrid[:height, :width]
    off_centre = ((x - width / 2) / (width / 2)) ** 2 + ((y - height / 2) / (height / 2)) ** 2
    labels[(off_centre > 1.0) & (labels == cv2.GC_PR_FGD)] = cv2.GC_PR_BGD
    labels[off_centre < 0.04] = cv2.GC_FGD
    cv2.setRNGSeed(0)  # its colour clusters start at random; the same photo must give the same garment
    cv2.grabCut(small, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    return np.asarray((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))


def _largest_piece(found: NDArray[np.bool_], grow: int = 0) -> NDArray[np.bool_]:
    """The largest connected piece with its holes closed, after removing threads and closing cracks."""
    import cv2

    side = min(found.shape)
    image = found.astype(np.uint8)
    if not grow:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * max(1, side // 150) + 1,) * 2)
        image = np.asarray(cv2.morphologyEx(image, cv2.MORPH_OPEN, disc), np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(image, connectivity=8)
    if count < 2:
        return np.zeros(found.shape, bool)
    piece = np.asarray(labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()), np.uint8)
    if grow:
        # A given mask's own soft rim stays.
        return np.asarray(cv2.dilate(piece, np.ones((2 * grow + 1,) * 2, np.uint8)) > 0)
    outlines, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(np.zeros_like(piece), outlines, -1, (1,), -1) > 0)


def _trimmed(pixels: NDArray[np.uint8], mask: NDArray[np.float32]) -> Cutout:
    rows, columns = np.flatnonzero(mask.max(axis=1) > 0.5), np.flatnonzero(mask.max(axis=0) > 0.5)
    pad = round(_MARGIN * max(len(rows), len(columns))) + 1
    box = (
        slice(max(0, rows[0] - pad), rows[-1] + pad + 1),
        slice(max(0, columns[0] - pad), columns[-1] + pad + 1),
    )
    return Cutout(np.ascontiguousarray(pixels[box]), np.ascontiguousarray(mask[box], dtype=np.float32))

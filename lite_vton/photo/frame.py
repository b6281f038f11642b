"""A photo without what was put around it: a border or bars of one colour, rounded corners, a window's shadow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["cuts_out", "within_alpha", "without_frame"]

_Bools = NDArray[np.bool_]

_CLEAR = 0.5  # of the picture's border that is transparent around a cut-out, at least
_OPAQUE = 200  # of 255: shadows of windows are fainter
_LARGE = 0.4  # of the picture: as much a shape covers that is the frame's own
_RECTANGLE, _ELLIPSE = 0.95, 0.97  # likeness to one, intersection over union
_SOFT = 2  # pixels of a shape's rim that may be mixed with what is around it

_UNLIKE = 12  # of 255: farther from the frame's colour than noise and JPEG make it
_STRAY = 0.02  # of a frame's line that may be of other colours
_STRAIGHT = 0.8  # of the line inside a frame that is of other colours: a garment's outline is not straight
_INSIDE = 2  # pixels from the frame to that line, beyond what JPEG blurs
_NESTED = 3  # frames within frames


def cuts_out(alpha: NDArray[np.uint8]) -> bool:
    """Whether alpha (H, W) cuts a thing out of its background: its border is clear, its shape not that of the frame."""
    border = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
    return float((border < 128).mean()) >= _CLEAR and not _is_frame(alpha > _OPAQUE)


def within_alpha(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The part of pixels (H, W, 3) that alpha (H, W) shows, (h, w, 3); rounded corners are filled from beside them."""
    import cv2

    opaque = alpha > _OPAQUE
    if not opaque.any():
        return pixels
    box = _box(opaque)
    part, shown = pixels[box], opaque[box]
    if shown.all():
        return part
    # Not from the outermost pixels, where the background mixes in.
    inner = cv2.erode(shown.astype(np.uint8), np.ones((2 * _SOFT + 1,) * 2, np.uint8), borderValue=(1.0,)) > 0
    if not inner.any():
        return part
    _, nearest = cv2.distanceTransformWithLabels(
        (~inner).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colours = np.zeros((int(nearest.max()) + 1, 3), np.uint8)
    colours[nearest[inner]] = part[inner]
    return np.where(shown[..., None], part, colours[nearest])


def without_frame(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The part of pixels (H, W, 3) inside a border or bars of one colour; all of it where there are none.

    The margin of a photo whose background is plain is no frame: what it ends at is the garment, and not straight.
    """
    for _ in range(_NESTED):
        lines = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
        colours = np.unique([np.median(line, axis=0).astype(np.uint8) for line in lines], axis=0)
        boxes = [box for colour in colours if (box := _inside(pixels, colour)) is not None]
        if not boxes:
            break
        pixels = pixels[boxes[0]]
    return pixels


def _inside(pixels: NDArray[np.uint8], colour: NDArray[np.uint8]) -> tuple[slice, slice] | None:
    """Where the picture is within a frame of this colour; None where there is no such frame."""
    unlike = np.abs(pixels.astype(np.int16) - colour).max(axis=2) > _UNLIKE
    if not (unlike.mean(axis=1) > _STRAY).any() or not (unlike.mean(axis=0) > _STRAY).any():
        return None
    rows = np.flatnonzero(unlike.mean(axis=1) > _STRAY)
    columns = np.flatnonzero(unlike[rows[0] : rows[-1] + 1].mean(axis=0) > _STRAY)
    box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    inside = unlike[box]
    if min(inside.shape) < 2 * _INSIDE + 4:
        return None
    height, width = unlike.shape
    sides = (
        (box[0].start > 0, inside[_INSIDE]),
        (box[0].stop < height, inside[-1 - _INSIDE]),
        (box[1].start > 0, inside[:, _INSIDE]),
        (box[1].stop < width, inside[:, -1 - _INSIDE]),
    )
    framed = [line for is_framed, line in sides if is_framed]
    return box if framed and all(float(line.mean()) > _STRAIGHT for line in framed) else None


def _is_frame(shape: _Bools) -> bool:
    if not shape.any():
        return False
    part = shape[_box(shape)]
    if part.size < _LARGE * shape.size:
        return False
    height, width = part.shape
    y, x = np.mgrid[:height, :width]
    ellipse = ((2 * y + 1) / height - 1) ** 2 + ((2 * x + 1) / width - 1) ** 2 <= 1
    round_ = float((part & ellipse).sum() / (part | ellipse).sum())
    return float(part.mean()) > _RECTANGLE or round_ > _ELLIPSE


def _box(shape: _Bools) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(shape.any(axis=1)), np.flatnonzero(shape.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)

"""A garment that lies askew, or that the frame cuts, made upright and whole by its symmetry."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError

__all__ = ["completed", "upright"]

_Pixels = NDArray[np.uint8]
_Floats = NDArray[np.float32]

_SMALL = 110  # pixels along the longer side: enough to tell symmetry
_TURNS = np.arange(-24.0, 25.0, 2.0)  # degrees
_CLEAR_TURN = 4.0  # degrees; a smaller one is left alone
_GAIN = 0.05  # in overlap with the mirrored self: less does not prove a turn
_EVEN = 0.8  # overlap that a garment set upright has at least: one that has not says nothing about its turn
_CUT = 0.3  # of the garment's height, along the frame: that much is missing of more than a cuff
_AGREE = 0.02  # of the garment's height: how far outlines seen on both sides of an axis may be apart
_SEEN = 0.6  # of the width, that at least one has to see to know the axis


def upright(pixels: _Pixels, mask: _Floats) -> tuple[_Pixels, _Floats]:
    """Photo (H, W, 3) and mask (H, W) in [0, 1], turned by what makes the mask most symmetric, if that is clear.

    One that the frame cuts is left alone. The picture grows so that nothing is cut off.
    """
    import cv2

    # Cut by the frame, its shape says nothing.
    whole = not np.concatenate([mask[[0, -1]].ravel(), mask[:, [0, -1]].ravel()]).max() > 0.5
    turn = _turn(mask) if whole else 0.0
    if abs(turn) <= _CLEAR_TURN:
        return pixels, mask
    height, width = mask.shape
    matrix = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1.0), np.float64)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = (round(width * cosine + height * sine), round(width * sine + height * cosine))
    matrix[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    turned = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    soft = cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(turned, np.uint8), np.asarray(np.clip(soft, 0, 1), np.float32)


def completed(pixels: _Pixels, mask: _Floats) -> tuple[_Pixels, _Floats]:
    """Photo (H, W, 3) and mask (H, W) in [0, 1]; where the left or right frame cuts the garment, with its mirror image.

    `UserError` where less than half of it is in the picture.
    """
    inside = mask > 0.5
    tall = int(inside.any(axis=1).sum())
    if tall == 0:
        return pixels, mask
    edge = max(1, mask.shape[1] // 100)
    left, right = (float(part.any(axis=1).sum()) / tall for part in (inside[:, :edge], inside[:, -edge:]))
    if max(left, right) < _CUT or min(left, right) > 0.5 * max(left, right):
        return pixels, mask
    if left > right:
        flipped = _completed_right(pixels[:, ::-1], mask[:, ::-1], "left")
        return np.ascontiguousarray(flipped[0][:, ::-1]), np.ascontiguousarray(flipped[1][:, ::-1])
    return _completed_right(pixels, mask, "right")


def _completed_right(pixels: _Pixels, mask: _Floats, side: str) -> tuple[_Pixels, _Floats]:
    columns = np.flatnonzero((mask > 0.5).any(axis=0))
    first, width = int(columns[0]), mask.shape[1]
    axis = _axis(mask > 0.5, first)
    if axis is None:
        raise UserError(
            f"the garment is cut off on the {side} of its photo: use a photo that shows all of it, with a margin"
        )
    # Column x shows what lies at 2 * axis - x on the other side.
    whole = 2 * axis - first + 1
    if whole <= width:
        return pixels, mask
    source = 2 * axis - np.arange(width, whole)
    return np.concatenate([pixels, pixels[:, source]], axis=1), np.concatenate([mask, mask[:, source]], axis=1)


def _axis(inside: NDArray[np.bool_], first: int) -> int | None:
    """The column around which the upper and lower outlines seen on both sides agree best; None where none agrees."""
    width = inside.shape[1]
    filled = inside.any(axis=0)
    tall = int(inside.any(axis=1).sum())
    top = np.where(filled, inside.argmax(axis=0), inside.shape[0]).astype(np.float64)
    bottom = np.where(filled, inside.shape[0] - inside[::-1].argmax(axis=0), 0).astype(np.float64)
    best, found = _AGREE, None
    for axis in range(first + (width - first) // 2, first + round((width - first) * 0.5 / _SEEN)):
        reach = width - 1 - axis
        if reach < 4:
            break
        right, left = slice(axis + 1, axis + 1 + reach), slice(axis - reach, axis)
        apart = [float(np.abs(line[right] - line[left][::-1]).mean()) / tall for line in (top, bottom)]
        if max(apart) < best:
            best, found = max(apart), axis
    return found


def _turn(mask: _Floats) -> float:
    """Degrees, counter-clockwise, that make the mask most symmetric; 0 where none does clearly."""
    import cv2

    rows, columns = np.flatnonzero(mask.max(axis=1) > 0.5), np.flatnonzero(mask.max(axis=0) > 0.5)
    if len(rows) < 8 or len(columns) < 8:
        return 0.0
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = _SMALL / max(part.shape)
    small = cv2.resize(part, (max(4, round(part.shape[1] * scale)), max(4, round(part.shape[0] * scale))))
    side = round(1.5 * _SMALL)
    top, left = (side - small.shape[0]) // 2, (side - small.shape[1]) // 2
    canvas = np.zeros((side, side), np.float32)
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    scores = []
    for turn in _TURNS:
        matrix = cv2.getRotationMatrix2D((side / 2, side / 2), float(turn), 1.0)
        scores.append(_symmetry(cv2.warpAffine(canvas, matrix, (side, side)) > 0.5))
    best = int(np.argmax(scores))
    still = scores[len(_TURNS) // 2]
    return float(_TURNS[best]) if scores[best] > max(still + _GAIN, _EVEN) else 0.0


def _symmetry(inside: NDArray[np.bool_]) -> float:
    """Overlap with its mirror image, at the axis that fits best."""
    width = inside.shape[1]
    columns = inside.sum(axis=0)
    middle = float((columns * np.arange(width)).sum() / max(columns.sum(), 1))
    best = 0.0
    for twice in range(round(2 * middle) - 8, round(2 * middle) + 9, 2):
        twins = twice - np.arange(width)
        known = (twins >= 0) & (twins < width)
        mirrored = np.zeros_like(inside)
        mirrored[:, known] = inside[:, twins[known]]
        best = max(best, float((inside & mirrored).sum() / max((inside | mirrored).sum(), 1)))
    return best

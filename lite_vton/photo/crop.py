"""The part of a photo a try-on repaints: where it is, cutting it out, and pasting the result back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    pass


__all__ = ["Crop", "paste_back", "paste_mask", "photo_part", "take_crop", "take_labels"]


@dataclass(frozen=True)
class Crop:
    """A rectangle in photo pixels. It may reach outside the photo, where the photo's edge is repeated."""

    left: int
    top: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a crop needs a positive size, not {self.width}x{self.height}")

    def divided(self, scale: float) -> Crop:
        """The same in a picture `scale` times as small, to the nearest pixel."""
        size = (max(1, round(side / scale)) for side in (self.width, self.height))
        return Crop(round(self.left / scale), round(self.top / scale), *size)


_FEATHER = 0.015  # of the crop's width, over which a result is blended into its photo
_STRIP = 128  # rows pasted at a time
_FINE = 4  # pixels of a large crop, once it is reduced, that make one of the result's


def take_crop(pixels: NDArray[np.uint8], crop: Crop, height: int, width: int) -> NDArray[np.uint8]:
    """`crop` of pixels (H, W[, C]) resized to (height, width[, C]); outside the photo its edge is repeated."""
    import cv2

    rows, columns = photo_part(crop, *pixels.shape[:2])
    fine = min(crop.height / height, crop.width / width) / _FINE
    if fine > 2:
        # Reduced before its edge is repeated: the frame of a large photo's crop is larger than the photo.
        part = pixels[rows, columns]
        inside = Crop(columns.start - crop.left, rows.start - crop.top, part.shape[1], part.shape[0]).divided(fine)
        pixels = np.asarray(cv2.resize(part, (inside.width, inside.height), interpolation=cv2.INTER_AREA), np.uint8)
        crop = Crop(-inside.left, -inside.top, _FINE * width, _FINE * height)
        rows, columns = photo_part(crop, *pixels.shape[:2])
    above, beside = max(0, rows.start - crop.top), max(0, columns.start - crop.left)
    below = max(0, crop.height - above - (rows.stop - rows.start))
    beyond = max(0, crop.width - beside - (columns.stop - columns.start))
    part = pixels[rows, columns]
    if above or below or beside or beyond:
        framed = cv2.copyMakeBorder(part, above, below, beside, beyond, cv2.BORDER_REPLICATE)
        part = np.asarray(framed, np.uint8)[: crop.height, : crop.width]
    shrinks = crop.height > height or crop.width > width
    resized = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return np.asarray(resized, np.uint8)


def photo_part(crop: Crop, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of a photo (height, width) that a crop shows or whose edge it repeats: at least one each."""
    top, left = min(max(crop.top, 0), height - 1), min(max(crop.left, 0), width - 1)
    bottom, right = min(max(crop.top + crop.height, 1), height), min(max(crop.left + crop.width, 1), width)
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))


def take_labels(labels: NDArray[np.uint8], crop: Crop, height: int, width: int) -> NDArray[np.uint8]:
    """`crop` of labels (H, W) at (height, width), each the nearest pixel's own, since labels have no averages."""
    rows = crop.top + ((np.arange(height) + 0.5) * crop.height / height).astype(int)
    columns = crop.left + ((np.arange(width) + 0.5) * crop.width / width).astype(int)
    rows, columns = np.clip(rows, 0, labels.shape[0] - 1), np.clip(columns, 0, labels.shape[1] - 1)
    return np.ascontiguousarray(labels[rows[:, None], columns])


def paste_mask(
    mask: NDArray[np.float32], crop: Crop, picture_height: int, picture_width: int, feather: float = _FEATHER
) -> NDArray[np.float32]:
    """The crop's repaint mask (h, w) at the photo's resolution, (H, W) float32 in [0, 1].

    It falls to 0 inside the mask over `feather` of the crop's width, so exactly 0 everywhere outside it.
    """
    full = np.zeros((picture_height, picture_width), np.float32)
    blended = _blended(mask, crop, picture_height, picture_width)
    if blended is not None:
        full[blended.target] = blended.share(blended.depth, feather)
    return full


def paste_back(
    photo: NDArray[np.uint8],
    crop: Crop,
    result: NDArray[np.uint8],
    mask: NDArray[np.float32],
    as_own: Callable[[NDArray[np.uint8], slice, slice], NDArray[np.uint8]] | None = None,
) -> NDArray[np.uint8]:
    """photo (H, W, 3) with `result` (h, w, 3) in `crop`, blended by `paste_mask` of mask (h, w).

    `as_own` gives what is pasted, some rows and columns of the photo, the colours that the photo would have for them.
    Every pixel where that mask is 0 is the photo's own, bit for bit.
    """
    import cv2

    pasted = photo.copy()
    blended = _blended(mask, crop, *photo.shape[:2])
    if blended is None:
        return pasted
    shrinks = crop.height < result.shape[0] or crop.width < result.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    painted = cv2.resize(result, (crop.width, crop.height), interpolation=method)[blended.source]
    rows, columns = blended.target
    # A strip at a time: the rest of a large photo is not needed in floating point.
    for top in range(rows.start, rows.stop, _STRIP):
        strip = slice(top, min(top + _STRIP, rows.stop))
        within = slice(strip.start - rows.start, strip.stop - rows.start)
        own, new = photo[strip, columns], np.asarray(painted[within], np.uint8)
        if as_own is not None:
            new = as_own(new, strip, columns)
        shown, (rim, whole) = pasted[strip, columns], blended.rim_and_whole(within)
        cv2.copyTo(new, whole.view(np.uint8), shown)
        before, share = own[rim].astype(np.float32), blended.share(blended.depth[within][rim])
        shown[rim] = np.rint(before + share[:, None] * (new[rim] - before)).astype(np.uint8)
    return pasted


@dataclass(frozen=True)
class _Blended:
    """The part of a photo that a result changes: `target` in the photo, `source` in the crop at the photo's scale.

    `depth` (h, w) float32 is how many pixels each of them lies inside the mask, 0 outside; the crop is `width` wide.
    """

    target: tuple[slice, slice]
    source: tuple[slice, slice]
    depth: NDArray[np.float32]
    width: int

    def rim_and_whole(self, rows: slice) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which pixels in these rows are blended, and which are the result's alone."""
        depth = self.depth[rows]
        whole = depth >= max(1.0, _FEATHER * self.width)
        return (depth > 0) & ~whole, whole

    def share(self, depth: NDArray[np.float32], feather: float = _FEATHER) -> NDArray[np.float32]:
        """The result's share of pixels that lie so deep inside the mask, in [0, 1]."""
        ramp = depth * np.float32(1 / max(1.0, feather * self.width))
        np.minimum(ramp, 1, out=ramp)
        return np.asarray(ramp * ramp * (3 - 2 * ramp), np.float32)


def _blended(mask: NDArray[np.float32], crop: Crop, height: int, width: int) -> _Blended | None:
    """None where the mask is empty or does not meet the photo."""
    import cv2

    soft = cv2.resize(np.rint(255 * mask).astype(np.uint8), (crop.width, crop.height), interpolation=cv2.INTER_LINEAR)
    marked = np.greater(soft, 127, out=soft.view(np.bool_))  # in its place: of a large photo each is 50 MB
    rows, columns = (np.flatnonzero(marked.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return None
    first, end = (int(rows[0]), int(columns[0])), (int(rows[-1]) + 1, int(columns[-1]) + 1)
    # A frame of one pixel makes the crop's own border an edge too.
    framed = np.pad(marked[first[0] : end[0], first[1] : end[1]].astype(np.uint8), 1)
    depth = np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)
    corner = crop.top, crop.left
    starts = [max(0, at + begin) for at, begin in zip(corner, first, strict=True)]
    stops = [min(side, at + stop) for side, at, stop in zip((height, width), corner, end, strict=True)]
    if starts[0] >= stops[0] or starts[1] >= stops[1]:
        return None

    def seen_from(row: int, column: int) -> tuple[slice, slice]:
        return slice(starts[0] - row, stops[0] - row), slice(starts[1] - column, stops[1] - column)

    within = seen_from(corner[0] + first[0], corner[1] + first[1])
    return _Blended(seen_from(0, 0), seen_from(*corner), depth[within], crop.width)

"""Regions of a picture by their colours: palettes, distances to them, and masks grown, shrunk, closed and joined."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Mask",
    "Palette",
    "both",
    "closed",
    "distance",
    "grown",
    "joined",
    "opened",
    "palette",
    "shrunk",
    "without_specks",
]

Mask = NDArray[np.bool_]
Palette = NDArray[np.float64]
"""(k, 3) CIELAB colours."""

_COLOURS = 4  # in a palette


def palette(colours: NDArray[np.float32]) -> Palette | None:
    """(k, 3) CIELAB colours that stand for these (n, 3); None for too few."""
    import cv2

    if len(colours) < 12:
        return None
    sample = np.ascontiguousarray(colours[:: max(1, len(colours) // 1500)], np.float32)
    count = min(_COLOURS, len(sample))
    cv2.setRNGSeed(0)  # the same photo must give the same mask
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 1.0)
    _, labels, centres = cv2.kmeans(sample, count, None, stop, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    share = np.bincount(labels.ravel(), minlength=count) / len(sample)
    return np.asarray(centres[share > 0.06], np.float64)


def both(one: Palette, other: Palette | None) -> Palette:
    """The colours of one palette, and of the other if there is one."""
    return one if other is None else np.vstack([one, other])


def distance(lab: NDArray[np.float32], palette: Palette) -> NDArray[np.float32]:
    """(H, W) to the nearest colour of the palette."""
    nearest = np.full(lab.shape[:2], np.inf, np.float32)
    for colour in palette.astype(np.float32):
        apart = lab - colour
        np.minimum(nearest, np.einsum("hwc,hwc->hw", apart, apart), out=nearest)
    return np.asarray(np.sqrt(nearest), np.float32)


def _disc(radius: float) -> NDArray[np.uint8]:
    import cv2

    side = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def grown(mask: Mask, radius: float) -> Mask:
    """With all that is within `radius` pixels, at least one."""
    import cv2

    return np.asarray(cv2.dilate(mask.astype(np.uint8), _disc(radius)) > 0)


def shrunk(mask: Mask, radius: float) -> Mask:
    """Without what is within `radius` pixels of its rim, at least one."""
    import cv2

    return np.asarray(cv2.erode(mask.astype(np.uint8), _disc(radius)) > 0)


def closed(mask: Mask, radius: float) -> Mask:
    """With gaps and holes filled that are no wider than twice `radius` pixels."""
    import cv2

    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, _disc(radius)) > 0)


def opened(mask: Mask, radius: float) -> Mask:
    """Without what is narrower than twice `radius` pixels."""
    import cv2

    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, _disc(radius)) > 0)


def joined(mask: Mask, to: Mask) -> Mask:
    """Those pieces of `mask` that meet `to`, itself grown by a pixel."""
    import cv2

    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    met = np.unique(labels[grown(to, 1) & mask])
    return np.asarray(np.isin(labels, met[met > 0]))


def without_specks(mask: Mask, unit: float) -> Mask:
    """Without crumbs and pinholes, which would flicker in the picture."""
    import cv2

    smooth = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, _disc(0.015 * unit))
    return np.asarray(cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, _disc(0.015 * unit)) > 0)

"""The inside of a garment's back, which shows through its neck as long as nobody wears it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lite_vton.garment.cut import Cut

__all__ = ["inner_back"]

_WIDEST, _DEEPEST = 0.6, 0.34  # u and v that no neckline reaches
_SHALLOWEST = 0.045  # v; a band along the neck is narrower than that
_SEED = 0.15, 0.02  # u to both sides and v below the edge, where the inside shows if anywhere
_ALIKE, _UNLIKE = 9.0, 7.0  # CIELAB distance within the inside, and at least between it and the front
_AROUND = 0.2  # u beyond the inside that is looked at: wider than a rib along the neck
_FILLED = 0.8  # of what lies above its lower edge


def inner_back(garment: NDArray[np.uint8], mask: NDArray[np.float32], cut: Cut) -> NDArray[np.bool_]:
    """(h, w), True where garment (h, w, 3) RGB with mask (h, w) in [0, 1] shows its inside; all False if in doubt.

    The inside is the piece at the middle of the top edge, of one colour, darker than the front around it.
    """
    import cv2

    nothing = np.zeros(mask.shape, bool)
    inside = mask > 0.5
    rows, columns = np.mgrid[: mask.shape[0], : mask.shape[1]].astype(np.float64)
    middle = cut.column(np.zeros(1), np.full(1, cut.top))[0]
    half = max(cut.column(np.ones(1), np.full(1, cut.top))[0] - middle, 1.0)
    u, v = (columns - middle) / half, (rows - cut.top) / max(float(cut.row(np.ones(1))[0]) - cut.top, 1.0)
    near = inside & (np.abs(u) < _WIDEST) & (v < _DEEPEST)
    first = np.where(inside.any(axis=0), inside.argmax(axis=0), mask.shape[0])
    edge = v - np.where(first < mask.shape[0], v[np.minimum(first, mask.shape[0] - 1), np.arange(mask.shape[1])], 9.0)
    # The very edge mixes with the background.
    seed = near & (np.abs(u) < _SEED[0]) & (edge > 0.3 * _SEED[1]) & (edge < 1.6 * _SEED[1])
    if not seed.any():
        return nothing
    lab = cv2.cvtColor(garment.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    colour = np.median(lab[seed], axis=0)
    alike = (near & (np.linalg.norm(lab - colour, axis=2) < _ALIKE)).astype(np.uint8)
    _, labels = cv2.connectedComponents(alike, connectivity=4)
    found = labels[seed & (alike > 0)]
    if found.size == 0:
        return nothing
    piece = labels == np.bincount(found).argmax()
    leaks = piece & ((np.abs(u) > _WIDEST - 0.06) | (v > _DEEPEST - 0.03))
    # With the edge above it, which mixes with the background.
    closed = np.flip(np.maximum.accumulate(np.flip(piece, axis=0), axis=0), axis=0) & inside
    reach = 2 * max(2, round(_AROUND * half)) + 1
    around = (cv2.dilate(closed.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0) & near & ~closed
    if leaks.any() or not around.any() or piece.sum() < _FILLED * closed.sum() or not _narrows(closed):
        return nothing
    deep = float(v[piece & (np.abs(u) < _SEED[0])].max(initial=-1.0)) > _SHALLOWEST
    front = np.median(lab[around], axis=0)
    if not deep or np.linalg.norm(front - colour) < _UNLIKE or front[0] < colour[0]:
        return nothing
    grown = cv2.dilate(closed.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.asarray(grown & near, bool)


def _narrows(piece: NDArray[np.bool_]) -> bool:
    """Whether it is narrower near its lower end, as a neckline is and a collar's flaps are not."""
    widths = piece.sum(axis=1)[piece.any(axis=1)]
    return bool(widths[round(0.8 * (len(widths) - 1))] < 0.8 * widths.max())

"""Landmarks of an upright garment, found in its silhouette alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Landmarks", "Sleeve", "find_landmarks", "first_row", "symmetry_axis"]

_Points = NDArray[np.float64]


@dataclass(frozen=True)
class Sleeve:
    """One sleeve, as seen in the picture. Points are (x, y) in garment pixels.

    `region` (h, w) bool, the pixels of the sleeve; `length` from the armhole's middle to the cuff's.
    `cuff` (2, 2): outer corner (the side of the shoulder), inner corner (the side of the armpit).
    """

    region: NDArray[np.bool_]
    cuff: _Points
    length: float


@dataclass(frozen=True)
class Landmarks:
    """Points (x, y) in garment pixels; pairs are (left, right) as seen in the picture.

    `shoulders` (2, 2) where sleeves meet the top edge, `armpits` (2, 2), `hem` (2, 2).
    `sleeves` left and right, None where the garment has none or it cannot be told from the body.
    """

    shoulders: _Points
    armpits: _Points
    hem: _Points
    sleeves: tuple[Sleeve | None, Sleeve | None]


# Shares of the garment's height or of its body's width.
_MIN_DROP = 0.09  # how much narrower than above an armpit's row must be, to be one
_ARMPIT_ROWS = (0.12, 0.62)
_TYPICAL_ARMPIT = 0.34
_MIN_SLEEVE_AREA = 0.015
_CUFF_SHARE = 0.12  # of the sleeve's length, counted from its far end


def find_landmarks(mask: NDArray[np.float32]) -> Landmarks:
    """From mask (h, w) in [0, 1], > 0.5 inside, at least one pixel. Always an answer: a box where nothing is found."""
    inside = mask > 0.5
    rows = np.flatnonzero(inside.any(axis=1))
    if len(rows) == 0:
        raise ValueError("an empty mask has no landmarks")
    top, bottom = int(rows[0]), int(rows[-1])
    height = bottom - top + 1
    axis = symmetry_axis(inside, top, height)
    edges = _body_edges(inside, axis)
    body = _typical_width(edges, top, height)
    found = [_armpit_row(s * (edges[:, side] - axis), top, height, body) for side, s in ((0, -1.0), (1, 1.0))]
    for side, other in ((0, 1), (1, 0)):
        row = found[other]
        if found[side] is None and row is not None:
            # Garments are symmetric: a sleeve that lies against the body is cut off where its twin ends.
            mirrored = 2 * axis - edges[:, other]
            edges[row:, side] = (np.maximum if side == 0 else np.minimum)(edges[row:, side], mirrored[row:])
            found[side] = row
            break
    armpits = np.empty((2, 2))
    for side in (0, 1):
        row = found[side]
        if row is None:
            row = top + int(_TYPICAL_ARMPIT * height)
        below = _at(edges[:, side], row + 0.04 * height, top, bottom, span=int(0.03 * height))
        armpits[side] = below, row
    shoulders = np.empty((2, 2))
    for side in (0, 1):
        # A seam runs a little inward of the armpit.
        x = armpits[side, 0] + 0.06 * (axis - armpits[side, 0])
        shoulders[side] = x, first_row(inside, x, top)
    middle = (armpits[:, 1].mean() + bottom) / 2
    hem = np.array([_corner(edges, side, axis, middle, bottom, body) for side in (0, 1)])
    pair = [
        _sleeve(inside, edges[:, side], shoulders[side], armpits[side], axis, side) if found[side] is not None else None
        for side in (0, 1)
    ]
    return Landmarks(shoulders, armpits, hem, (pair[0], pair[1]))


def symmetry_axis(inside: NDArray[np.bool_], top: int, height: int) -> float:
    """x of the line of symmetry: the median middle of the rows, each as wide as it reaches."""
    part = inside[top : top + height]
    first = part.argmax(axis=1)
    last = part.shape[1] - 1 - part[:, ::-1].argmax(axis=1)
    return float(np.median(((first + last) / 2)[part.any(axis=1)]))


def _body_edges(inside: NDArray[np.bool_], axis: float) -> _Points:
    """(h, 2) left and right end of each row's run nearest the axis."""
    edges = np.empty((inside.shape[0], 2))
    steps = np.diff(np.pad(inside.view(np.int8), ((0, 0), (1, 1))), axis=1)
    # Row by row, left to right, so that starts and ends pair up.
    rows, starts = np.nonzero(steps == 1)
    ends = np.nonzero(steps == -1)[1] - 1
    away = np.maximum(np.maximum(starts - axis, axis - ends), 0)
    order = np.lexsort((away, rows))
    seen, first = np.unique(rows[order], return_index=True)
    every = np.arange(len(edges))
    # Rows without garment take part as their neighbours do, so that nothing here is ever NaN.
    edges[:, 0] = np.interp(every, seen, starts[order[first]])
    edges[:, 1] = np.interp(every, seen, ends[order[first]])
    return edges


def _typical_width(edges: _Points, top: int, height: int) -> float:
    widths = (edges[:, 1] - edges[:, 0])[top + int(0.5 * height) : top + int(0.95 * height) + 1]
    return float(max(np.median(widths), 1.0))


def _armpit_row(reach: _Points, top: int, height: int, body: float) -> int | None:
    """The row below which the silhouette is narrower for good: where the sleeve leaves the body."""
    span = max(2, int(0.06 * height))
    first, last = top + int(_ARMPIT_ROWS[0] * height), top + int(_ARMPIT_ROWS[1] * height)
    last = min(last, len(reach) - span - 1)
    rows = np.arange(max(first, span), last)
    if len(rows) == 0:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(reach, span + 1)
    above, below = windows[rows - span].max(axis=1), np.median(windows[rows], axis=1)
    drops = above - below
    if drops.max() < _MIN_DROP * body:
        return None
    at = int(rows[drops.argmax()])
    # The step may take several rows; the armpit is where it ends.
    while at + 1 < min(last, len(reach) - 1) and reach[at] - reach[at + 1] > 0.01 * body:
        at += 1
    return at


def _at(edge: _Points, row: float, top: int, bottom: int, span: int) -> float:
    """Median of an edge over rows around `row`."""
    y = int(np.clip(round(row), top, bottom))
    part = edge[max(top, y - span) : min(bottom, y + span) + 1]
    return float(np.median(part))


def _corner(edges: _Points, side: int, axis: float, middle: float, bottom: int, body: float) -> _Points:
    """Where side and hem meet: the point of the side's lower half furthest out and down together."""
    rows = np.arange(int(middle), bottom + 1)
    xs = edges[rows, side]
    reach = (xs - axis) * (-1 if side == 0 else 1) / (body / 2) + (rows - middle) / max(bottom - middle, 1.0)
    best = int(reach.argmax())
    return np.array([xs[best], float(rows[best])])


def first_row(inside: NDArray[np.bool_], x: float, top: int) -> float:
    """Row of the first pixel inside (h, w) in column `x`, `top` where it has none."""
    column = inside[:, int(np.clip(round(x), 0, inside.shape[1] - 1))]
    return float(column.argmax()) if column.any() else float(top)


def _sleeve(
    inside: NDArray[np.bool_], edge: _Points, shoulder: _Points, armpit: _Points, axis: float, side: int
) -> Sleeve | None:
    """Everything outward of the line from shoulder to armpit, and of the body's edge below it."""
    import cv2

    sign = -1.0 if side == 0 else 1.0
    h, w = inside.shape
    rows = np.arange(h)
    share = np.clip((rows - shoulder[1]) / max(armpit[1] - shoulder[1], 1.0), 0, 1)
    border = shoulder[0] + share * (armpit[0] - shoulder[0])
    below = rows > armpit[1]
    border[below] = edge[below] + sign
    # Sleeve left over just below the armpit is no body: that may flare, but not at once.
    flare = 0.03 * abs(armpit[0] - axis) + 0.5 * np.maximum(rows - armpit[1], 0)
    border = np.minimum(sign * border, sign * armpit[0] + flare) * sign
    outward = sign * (np.arange(w)[None] - border[:, None]) >= 0
    pieces = (inside & outward).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(pieces, connectivity=8)
    if count < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    if stats[largest, cv2.CC_STAT_AREA] < _MIN_SLEEVE_AREA * inside.sum():
        return None
    ys, xs = np.nonzero(labels == largest)
    # Loose bits of the same sleeve belong to it, those of a ragged hem do not.
    begins_high = stats[:, cv2.CC_STAT_TOP] <= armpit[1]
    begins_high[0] = False
    begins_high[largest] = True
    points = np.stack([xs, ys], axis=1).astype(np.float64)
    root = (shoulder + armpit) / 2
    along = points.mean(axis=0) - root
    if float(np.linalg.norm(along)) < 1.0:
        return None
    along /= np.linalg.norm(along)
    depth = (points - root) @ along
    length = float(depth.max())
    end = points[depth > length * (1 - _CUFF_SHARE)]
    # Outer is the side the shoulder is on, seen along the sleeve.
    across = np.array([-along[1], along[0]]) * (1.0 if side == 0 else -1.0)
    offset = (end - root) @ across
    middle = root + along * length + across * ((offset.max() + offset.min()) / 2)
    half = max((offset.max() - offset.min()) / 2, 1.0)
    return Sleeve(begins_high[labels], np.stack([middle + across * half, middle - across * half]), length)

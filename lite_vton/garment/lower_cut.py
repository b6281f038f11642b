"""How trousers and skirts are cut, read off their silhouette: trousers part into two legs, a skirt does not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lite_vton.garment.silhouette import symmetry_axis

__all__ = ["LowerCut", "read_lower_cut"]

_Points = NDArray[np.float64]

_GAP = 0.015  # of the garment's width: a narrower gap is a crease
_NOTCH = 0.06  # of the garment's height: a shallower gap is a slit or a ragged hem
_TIP = 0.4  # of the gap seen, how far above it the legs may part at most
_LEG = 0.15  # of the garment's width: a narrower piece is no leg
_OFF_MIDDLE = 0.2  # of the garment's width: how far from the middle legs may part
_WAISTBAND = 0.04  # of the height below the top, where its width is measured
_HEM = 0.12  # of the height above the bottom, where a rounded hem may narrow the sides
_EVENED = 0.015  # of the height


@dataclass(frozen=True)
class LowerCut:
    """Trousers, shorts or a skirt as they lie in the picture. Lengths and places in its pixels.

    `top`, `bottom` rows of waistband and hem; `waist`, `hip` widths of the waistband and of the widest part of the
    body of the garment; `left`, `right` (h,) x of the sides in each row; `crotch` the row where the legs part, None for
    a skirt; `inner` (2, h) x of the left and right leg's inner edge, the middle above the crotch; `hems` (2, 2) rows
    of the left and right leg's hem at its left and right edge.
    """

    top: float
    bottom: float
    waist: float
    hip: float
    left: _Points
    right: _Points
    crotch: float | None
    inner: _Points
    hems: _Points

    def edges(self, leg: int | None) -> tuple[_Points, _Points]:
        """(h,) x of the left and right edge, of one leg, 0 or 1, or of the whole."""
        if leg is None:
            return self.left, self.right
        return (self.left, self.inner[0]) if leg == 0 else (self.inner[1], self.right)

    def column(self, u: _Points, row: _Points, leg: int | None = None) -> _Points:
        """x of each u, -1 to 1 from edge to edge, at each row."""
        left, right = (np.interp(row, np.arange(len(edge)), edge) for edge in self.edges(leg))
        return np.asarray((left + right) / 2 + u * (right - left) / 2)

    def half(self, row: _Points, leg: int | None = None) -> _Points:
        """Half the width at each row."""
        left, right = self.edges(leg)
        return np.asarray(np.interp(row, np.arange(len(left)), np.maximum(right - left, 1.0) / 2))


def read_lower_cut(mask: NDArray[np.float32]) -> LowerCut:
    """From mask (h, w) in [0, 1], > 0.5 inside, at least one pixel; an upright garment seen from the front."""
    inside = mask > 0.5
    rows = np.flatnonzero(inside.any(axis=1))
    first, last = int(rows[0]), int(rows[-1])
    height = last - first + 1
    every = np.arange(len(inside))
    outer = np.stack([inside[rows].argmax(axis=1), inside.shape[1] - inside[rows, ::-1].argmax(axis=1)]) - 0.5
    left, right = (np.interp(every, rows, edge) for edge in outer)
    axis = symmetry_axis(inside, first, height) + 0.5
    width = float(np.quantile(right[rows] - left[rows], 0.9))
    legs = _legs(inside, axis, first, height, width)
    if legs is None:
        _hold_beside_hem(left, right, first, last)
    reach = max(1, round(_EVENED * height))
    left, right = _evened(left, reach), _evened(right, reach)
    band = round(first + _WAISTBAND * height)
    waist = max(float(right[band] - left[band]), 1.0)
    if legs is None:
        hip = max(float((right - left)[rows].max()), 1.0)
        middle = np.repeat(((left + right) / 2)[None], 2, axis=0)
        hems = np.full((2, 2), last + 0.5)
        return LowerCut(first - 0.5, last + 0.5, waist, hip, left, right, None, middle, hems)
    crotch, inner = legs
    hip = max(float((right - left)[first : crotch + 1].max()), 1.0)
    # The middle above the crotch, from the waistband's to where the legs part.
    share = np.clip((every - first) / max(crotch - first, 1), 0, 1)
    centre = (left[first] + right[first]) / 2 * (1 - share) + inner[:, crotch].mean() * share
    inner = np.where(every < crotch, centre, np.stack([_evened(edge, reach) for edge in inner]))
    hems = np.stack([_hem(inside, left, inner[0], crotch, last), _hem(inside, inner[1], right, crotch, last)])
    return LowerCut(first - 0.5, float(hems.mean()), waist, hip, left, right, float(crotch), inner, hems)


def _legs(inside: NDArray[np.bool_], axis: float, first: int, height: int, width: float) -> tuple[int, _Points] | None:
    """The row where two legs part, and (2, h) x of their inner edges; None where they do not."""
    found: dict[int, tuple[float, float]] = {}
    for row in range(first + round(0.15 * height), first + height):
        gap = _gap(inside[row], axis, width)
        if gap is not None:
            found[row] = gap
    if not found:
        return None
    rows = np.array(sorted(found))
    # Legs may touch again further down: what counts is where the lowest long gap begins.
    pieces = np.split(rows, np.flatnonzero(np.diff(rows) > max(2, 0.02 * height)) + 1)
    longest = max(pieces, key=len)
    if len(longest) < max(2.0, _NOTCH * height):
        return None
    crotch = _parting(longest, np.array([found[row][1] - found[row][0] for row in longest]), first)
    seen = rows[rows >= longest[0]]
    every = np.arange(len(inside))
    return crotch, np.stack([np.interp(every, seen, [found[row][side] for row in seen]) for side in (0, 1)])


def _parting(rows: NDArray[np.int64], widths: _Points, first: int) -> int:
    """The row where a gap of these widths begins: its tip is narrower than can be seen, so it is followed up there."""
    count = max(2, len(rows) // 2)
    slope, level = np.polyfit(rows[:count] - rows[0], widths[:count], 1)
    tip = level / slope if slope > 1e-6 else 0.0
    return int(max(rows[0] - np.clip(tip, 0, _TIP * len(rows)), first + 1))


def _gap(line: NDArray[np.bool_], axis: float, width: float) -> tuple[float, float] | None:
    """The widest gap of a row near the middle, between pieces as wide as a leg."""
    steps = np.flatnonzero(np.diff(np.pad(line.view(np.int8), 1)))
    starts, ends = steps[::2], steps[1::2]
    best = None
    for left, right in zip(ends[:-1], starts[1:], strict=True):
        near = abs((left + right) / 2 - axis) < _OFF_MIDDLE * width + (right - left) / 2
        wide = max(_GAP * width, 1.0) <= right - left
        legs = line[:left].sum() >= _LEG * width and line[right:].sum() >= _LEG * width
        if near and wide and legs and (best is None or right - left > best[1] - best[0]):
            best = (float(left) - 0.5, float(right) - 0.5)
    return best


def _hold_beside_hem(left: _Points, right: _Points, first: int, last: int) -> None:
    """Below its widest row a rounded hem narrows: the sides go straight on there, in place."""
    low = first + round((1 - _HEM) * (last - first))
    widest = low + int((right - left)[low : last + 1].argmax())
    left[widest:], right[widest:] = left[widest], right[widest]


def _hem(inside: NDArray[np.bool_], left: _Points, right: _Points, crotch: int, last: int) -> _Points:
    """(2,) rows of a leg's hem at its left and right edge."""
    low = round(crotch + 0.9 * (last - crotch))
    at = []
    for share in (0.25, 0.75):
        x = int(np.clip(round(left[low] + share * (right[low] - left[low])), 0, inside.shape[1] - 1))
        column = np.flatnonzero(inside[crotch:, x])
        at.append(float(crotch + column[-1]) + 0.5 if len(column) else last + 0.5)
    slope = at[1] - at[0]
    hem = np.array([at[0] - slope / 2, at[1] + slope / 2])
    return np.asarray(np.clip(hem, crotch + 1.0, last + 0.5 + abs(slope)))


def _evened(values: _Points, reach: int) -> _Points:
    total = np.cumsum(np.pad(np.pad(values, reach, mode="edge"), (1, 0)))
    return np.asarray((total[2 * reach + 1 :] - total[: -2 * reach - 1]) / (2 * reach + 1))

"""How a garment is cut: its proportions in units of cloth, read off its silhouette.

A unit of cloth is 1/38 of half the chest. On the figure that clothes are cut for, the torso from beside the neck to
the hips is 113 units long and the arm 103. So a garment photographed flat tells how far down the torso and the arm
it will reach, whoever wears it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lite_vton.garment.silhouette import Landmarks, Sleeve, find_landmarks, first_row, symmetry_axis

__all__ = ["ARMPIT", "ARM_TAPER", "CHEST", "SEAM_ALLOWANCE", "TORSO", "Cut", "SleeveCut", "read_cut"]

_Points = NDArray[np.float64]

CHEST, TORSO = 38.0, 113.0
"""Half the chest, and from beside the neck down to the hips, in units of cloth."""

ARM_TAPER = ((0.0, 0.07, 0.14, 0.45, 1.0), (7.2, 8.8, 9.5, 8.2, 5.2))
"""Half the arm's width, in units of cloth, at shares of the arm from shoulder to wrist."""

SEAM_ALLOWANCE = 0.7
"""Units of cloth that a sleeve has beside an arm of any width."""

ARMPIT = 0.36
"""v from which the sides are the garment's own."""

_CORNER = (0.98, 0.07)  # where the shoulder ends: share of half the chest out, of the torso down
_STRAP = (0.8, 1.08)  # that many half chests below the top, a strap is less than that much wider than the shoulder
_SHOULDER_MIDDLE = 0.6  # share of half the chest; there the shoulder is as high as v = 0
_ARMHOLE = (0.83, 0.165)  # where a sleeve's middle line begins, (u, v)
_WAIST = 0.93  # of the chest: a side that cannot be seen for the sleeve before it
_LIE_CLOSE = 1.025  # of half the chest: how far out a side may be while sleeves lie beside it
_SIDE_EVENED = 0.03  # torso lengths
_SHORTEST, _ARM = 14.0, 96.0  # a sleeve that covers a share s of the arm is 14 + 96 s units long


@dataclass(frozen=True)
class SleeveCut:
    """One sleeve as it lies in the picture, in pixels.

    From `start` on the shoulder to `end`, the cuff's middle, (2,) x, y; `half` (N,) half widths at N even shares of
    that way; `share` of the arm that it covers, 0 to 1.
    """

    start: _Points
    end: _Points
    half: _Points
    share: float


@dataclass(frozen=True)
class Cut:
    """A garment's panels. u = -1 and 1 at the left and right side of the body, v = 0 beside the neck, 1 at the hips.

    `top` row in pixels of v = 0; `unit` pixels a unit of cloth; `sides` (n, 2) x of u = -1 and u = 1 at `rows` (n,);
    `hem` v of the hem; `widths` half widths in units of cloth at v = chest 0.33, waist 0.68 and hips 1;
    `flare` half widths below the hips, as (v, share of that at the hips); `sleeves` left and right.
    `known` where its scale is that of a body it was worn on: how far down it reaches is then no guess.
    """

    top: float
    unit: float
    rows: _Points
    sides: _Points
    hem: float
    widths: tuple[float, float, float]
    flare: tuple[tuple[float, float], ...]
    sleeves: tuple[SleeveCut | None, SleeveCut | None]
    known: bool = False

    def row(self, v: _Points) -> _Points:
        """y in pixels of each v."""
        return np.asarray(self.top + v * TORSO * self.unit)

    def column(self, u: _Points, row: _Points) -> _Points:
        """x in pixels of each u at each row in pixels."""
        left, right = (np.interp(row, self.rows, self.sides[:, side]) for side in (0, 1))
        return np.asarray((left + right) / 2 + u * (right - left) / 2)

    def moved(self, left: float, top: float, scale: float = 1.0) -> Cut:
        """As it lies in a picture that begins at column `left` and row `top`, made `scale` times as large."""

        def x(columns: _Points) -> _Points:
            # Pixels are numbered by their middles.
            return np.asarray((columns - left + 0.5) * scale - 0.5)

        def y(rows: _Points) -> _Points:
            return np.asarray((rows - top + 0.5) * scale - 0.5)

        def sleeve(of: SleeveCut | None) -> SleeveCut | None:
            if of is None:
                return None
            start, end = (np.stack([x(point[0]), y(point[1])]) for point in (of.start, of.end))
            return SleeveCut(start, end, of.half * scale, of.share)

        return replace(
            self,
            top=float(y(np.array(self.top))),
            unit=self.unit * scale,
            rows=y(self.rows),
            sides=x(self.sides),
            sleeves=(sleeve(self.sleeves[0]), sleeve(self.sleeves[1])),
        )

    def mirrored(self, width: int) -> Cut:
        """As it lies in the mirror image of its picture, `width` pixels wide."""

        def turned(sleeve: SleeveCut | None) -> SleeveCut | None:
            if sleeve is None:
                return None
            start, end = (np.array([width - 1 - x, y]) for x, y in (sleeve.start, sleeve.end))
            return replace(sleeve, start=start, end=end)

        left, right = self.sleeves
        return replace(self, sides=width - 1 - self.sides[:, ::-1], sleeves=(turned(right), turned(left)))


def read_cut(mask: NDArray[np.float32]) -> Cut:
    """From mask (h, w) in [0, 1], > 0.5 inside, at least one pixel; an upright garment seen from the front."""
    inside = mask > 0.5
    rows = np.flatnonzero(inside.any(axis=1))
    marks = find_landmarks(mask)
    first, last = int(rows[0]), int(rows[-1])
    axis = symmetry_axis(inside, first, last - first + 1)
    half, sleeved = _half_chest(inside, marks, axis, first, last)
    unit = half / CHEST
    top = _shoulder_row(inside, axis, half, first)
    sleeves = tuple(
        _sleeve(inside, found, side, axis, top, unit) if sleeved else None for side, found in enumerate(marks.sleeves)
    )
    sleeves = _twins(sleeves[0], sleeves[1], axis)
    lowest = max((s.end[1] for s in sleeves if s is not None), default=0.0)
    sides = _sides(inside, axis, top, unit, lowest)
    hem = max((float(marks.hem[:, 1].mean()) - top) / (TORSO * unit), 0.1)
    if sleeved:
        hem = max((_bottom(inside, axis, half) - top) / (TORSO * unit), 0.1)
    spans = (sides[:, 1] - sides[:, 0]) / 2

    def width(v: float) -> float:
        return float(np.interp(top + min(v, hem - 0.02) * TORSO * unit, np.arange(len(spans)), spans)) / unit

    hips = width(1.0)
    flare = tuple((v, width(v) / max(hips, 1.0)) for v in (1.2, 1.6, 2.2))
    widths = (width(0.38), width(0.68), hips)
    every = np.arange(len(sides), dtype=np.float64)
    return Cut(top, unit, every, sides, hem, widths, flare, (sleeves[0], sleeves[1]))


def _half_chest(inside: NDArray[np.bool_], marks: Landmarks, axis: float, first: int, last: int) -> tuple[float, bool]:
    """Pixels, and whether there are sleeves."""
    by_armpits = max(float(np.ptp(marks.armpits[:, 0])) / 2, 1.0)
    left, right = inside.argmax(axis=1), inside.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)
    reach = np.where(inside.any(axis=1), (right - left + 1) / 2, 0.0)
    found = any(sleeve is not None for sleeve in marks.sleeves)
    by_shoulders = by_armpits
    for _ in range(4):
        top = _shoulder_row(inside, axis, by_shoulders, first)
        rows = np.arange(min(int(top) + 1, last), last + 1)
        # The shoulder ends where the outline has fallen by this much for its width.
        fallen = (rows - top) * _CORNER[0] * CHEST >= reach[rows] * _CORNER[1] * TORSO
        by_shoulders = max(float(reach[rows[fallen.argmax()]]) / _CORNER[0], 1.0) if fallen.any() else by_armpits
    if not found:
        # Short sleeves that go on as the shoulder does: the body is what is left below them.
        under = min(round(top + 1.1 * by_shoulders), last)
        body = float(np.max(reach[under : round(top + 1.5 * by_shoulders) + 1]))
        if body < 0.93 * by_shoulders:
            return max(body / 0.98, 1.0), True
    # A sleeve goes on outward from there, a strap does not.
    below = min(round(top + _STRAP[0] * by_shoulders), last)
    if not found and float(reach[below]) < _STRAP[1] * by_shoulders:
        return max(_widening_ends(reach[min(round(top + by_shoulders), last) : last + 1]), by_shoulders), False
    # Sleeves spread out straight hide where the shoulder ends.
    if found and not 0.85 < by_shoulders / by_armpits < 1.15:
        return by_armpits, True
    return by_shoulders, True


def _widening_ends(reach: _Points) -> float:
    """The half width, going down, after which it grows no more for a while: at the armpits of a vest."""
    for row in range(len(reach)):
        ahead = reach[row + 1 : row + 1 + max(2, round(0.3 * reach[row]))]
        if len(ahead) == 0 or ahead.max() <= 1.005 * reach[row]:
            return max(float(reach[row]), 1.0)
    return 1.0


def _shoulder_row(inside: NDArray[np.bool_], axis: float, half: float, first: int) -> float:
    # The edge, not the middle, of the first pixel.
    return float(np.mean([first_row(inside, axis + s * _SHOULDER_MIDDLE * half, first) for s in (-1, 1)])) - 0.5


def _bottom(inside: NDArray[np.bool_], axis: float, half: float) -> float:
    """Row of the hem: cuffs of long sleeves may hang lower."""
    lowest = [
        float(np.flatnonzero(inside[:, x])[-1])
        for x in np.clip(np.rint(axis + np.linspace(-0.9, 0.9, 9) * half), 0, inside.shape[1] - 1).astype(int)
        if inside[:, x].any()
    ]
    return (float(np.median(lowest)) if lowest else float(np.flatnonzero(inside.any(axis=1))[-1])) + 0.5


def _sides(inside: NDArray[np.bool_], axis: float, top: float, unit: float, sleeve_end: float) -> _Points:
    """(h, 2) x of the body's sides: as seen from the armpits down, the chest's above, between where sleeves hide it."""
    half = CHEST * unit
    rows = np.arange(inside.shape[0])
    sides = np.empty((len(rows), 2))
    for side, sign in ((0, -1.0), (1, 1.0)):
        reach = np.array([_reach(line, axis, sign) for line in inside])
        free = inside.any(axis=1) & (rows >= top + ARMPIT * TORSO * unit)
        hidden = (reach > _LIE_CLOSE * half) & (rows <= sleeve_end)
        if hidden.any():
            # Where a sleeve leaves the body it is still narrower than that.
            free &= rows > np.flatnonzero(hidden)[-1] + 0.02 * TORSO * unit
        free &= reach > 0.6 * half
        anchors = {-1e6: half, top + ARMPIT * TORSO * unit - 1: half}
        if free.any():
            seen = np.flatnonzero(free)
            # The last rows are a rounded hem's.
            seen = seen[: max(1, len(seen) - round(0.04 * TORSO * unit))]
            # A hem seen but no waist: the waist is a little narrower.
            waist = top + 0.68 * TORSO * unit
            if seen[0] > waist:
                anchors[waist] = _WAIST * half
            anchors.update({float(row): float(reach[row]) for row in seen})
        else:
            anchors[top + 0.68 * TORSO * unit] = _WAIST * half
            anchors[top + TORSO * unit] = half
        at = sorted(anchors)
        reach = np.interp(rows, at, [anchors[row] for row in at])
        sides[:, side] = axis + sign * _evened(reach, round(_SIDE_EVENED * TORSO * unit))
    return sides


def _evened(values: _Points, reach: int) -> _Points:
    """Means over `reach` neighbours to either side: frayed edges must not wave through the whole garment."""
    total = np.cumsum(np.pad(np.pad(values, reach, mode="edge"), (1, 0)))
    return np.asarray((total[2 * reach + 1 :] - total[: -2 * reach - 1]) / (2 * reach + 1))


def _reach(line: NDArray[np.bool_], axis: float, sign: float) -> float:
    """How far the run around the axis goes to one side."""
    x = int(np.clip(round(axis), 0, len(line) - 1))
    part = line[x:] if sign > 0 else line[x::-1]
    gap = int(part.argmin()) if not part.all() else len(part)
    return gap - 0.5 + sign * (x - axis)


def _sleeve(
    inside: NDArray[np.bool_], found: Sleeve | None, side: int, axis: float, top: float, unit: float
) -> SleeveCut | None:
    """What lies outward of the body, as a strip from the shoulder point to the cuff."""
    sign = -1.0 if side == 0 else 1.0
    start = np.array([axis + sign * _ARMHOLE[0] * CHEST * unit, top + _ARMHOLE[1] * TORSO * unit])
    out = sign * (np.arange(inside.shape[1]) - axis) > 1.03 * CHEST * unit
    piece = _largest_high(inside & out, top + ARMPIT * TORSO * unit) if found is None else found.region & out
    ys, xs = np.nonzero(piece)
    if len(ys) < 0.003 * inside.sum():
        return None
    points = np.stack([xs, ys], axis=1).astype(np.float64)
    # Spread out straight, a sleeve begins as high as it lies.
    lie = points.mean(axis=0) - start
    straight = np.clip((np.degrees(np.arctan2(sign * lie[0], lie[1])) - 50) / 20, 0, 1)
    root = ys[sign * (xs - axis) < 1.1 * CHEST * unit]
    if len(root):
        start[1] += straight * ((float(root.min()) + float(root.max())) / 2 - start[1])
    points -= start
    end = points[np.linalg.norm(points, axis=1).argmax()]
    length = half = 1.0
    for _ in range(4):
        length = max(float(np.linalg.norm(end)), 1.0)
        along = end / length
        across = np.array([-along[1], along[0]])
        depth, offset = points @ along, points @ across
        length = max(float(np.quantile(depth, 0.995)), 1.0)
        cuff = (depth > length - 0.1 * length - 1) & (depth < length - 0.03 * length)
        if not cuff.any():
            break
        low, high = float(offset[cuff].min()), float(offset[cuff].max())
        half = max((high - low) / 2, 1.0)
        end = along * length + across * (low + high) / 2
    share = float(np.clip((length / unit - _SHORTEST) / _ARM, 0.02, 1.0))
    return SleeveCut(start, start + end, _taper(half / unit, share) * unit, share)


def _twins(left: SleeveCut | None, right: SleeveCut | None, axis: float) -> tuple[SleeveCut | None, SleeveCut | None]:
    """Garments are symmetric: a sleeve that is not found lies as its twin does."""

    def mirrored(sleeve: SleeveCut) -> SleeveCut:
        start, end = (np.array([2 * axis - point[0], point[1]]) for point in (sleeve.start, sleeve.end))
        return SleeveCut(start, end, sleeve.half, sleeve.share)

    if left is None and right is not None:
        return mirrored(right), right
    if right is None and left is not None:
        return left, mirrored(left)
    return left, right


def _largest_high(inside: NDArray[np.bool_], low: float) -> NDArray[np.bool_]:
    """The largest connected piece that begins above row `low`: a skirt that flares is no sleeve."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)
    high = [k for k in range(1, count) if stats[k, cv2.CC_STAT_TOP] < low]
    if not high:
        return np.zeros(inside.shape, bool)
    return np.asarray(labels == max(high, key=lambda k: int(stats[k, cv2.CC_STAT_AREA])))


def _taper(cuff: float, share: float, count: int = 17) -> _Points:
    """Half widths of a sleeve with this cuff: it follows the arm, with more room towards the end."""
    t = np.linspace(0, 1, count)
    arm = np.interp(t * share, *ARM_TAPER)
    # Measured a little before the end, where a hem may be folded.
    measured = float(np.interp(0.935 * share, *ARM_TAPER))
    ease = float(np.clip((cuff - SEAM_ALLOWANCE) / measured, 0.8, 1.8))
    return np.asarray(arm * (1 + (ease - 1) * (0.75 + 0.25 * t)) + SEAM_ALLOWANCE)

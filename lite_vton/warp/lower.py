"""Laying trousers and skirts onto a person: a panel around the hips, a tube around each leg, or one around both.

As with tops, every pixel of the result is traced back to a place on the cloth, so nothing folds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lite_vton.garment.lower_cut import LowerCut, read_lower_cut
from lite_vton.person.keypoints import Keypoints
from lite_vton.person.legs import SKIRT, Legs
from lite_vton.warp.layers import Layer, over, pixel_middles, sampled

__all__ = ["lay_lower"]

_Points = NDArray[np.float64]

_EASE = 1.06  # of the hips' width: cloth lies on them
_WAISTBAND = 1.04  # of the waist's width
_RISE = (0.58, 0.6, 0.08)
"""Waistband to crotch over the hips' width as usual, torso lengths the waist is higher for each more of it, at most."""
_LEG_SHARE = ((0.0, 0.64, 1.3, 1.7), (0.0, 0.4, 0.8, 1.0))
"""Leg below the crotch over the root of hips times rise, and the share of the way from crotch to ankle it covers."""
_SKIRT_SHARE = ((0.0, 1.0, 1.6, 2.3), (0.0, 0.45, 0.68, 1.0))
"""Length of a skirt over the waistband's width, and the share of the way from waist to ankle it covers."""
_SKIRT_WAIST = 0.03  # torso lengths that skirts begin above trousers
_FALLS = 0.6  # of what a skirt is wider than the waistband: it falls in folds
_WRAP = 1.0  # radians to either side that cloth goes around the hips before it is out of sight
_ROOM = 1.1  # of the leg's width
_INSIDE = 0.985  # u; further out lies the cloth's own edge


def lay_lower(garment: NDArray[np.uint8], mask: NDArray[np.float32], body: Keypoints, height: int, width: int) -> Layer:
    """Garment (h, w, 3) RGB with mask (h, w) in [0, 1] on the person of `body`, completed keypoints.

    `UserError` where no knee is seen.
    """
    legs, cut = Legs.of(body), read_lower_cut(mask)
    cloth = np.dstack([garment.astype(np.float32) * mask[..., None], mask])
    if cut.crotch is None:
        return _skirt(cloth, cut, legs, height, width)
    return _trousers(cloth, cut, legs, cut.crotch, height, width)


def _skirt(cloth: NDArray[np.float32], cut: LowerCut, legs: Legs, height: int, width: int) -> Layer:
    points, shape = pixel_middles(height, width)
    reach = legs.middle.length
    start = -_SKIRT_WAIST * legs.torso
    flat = cut.bottom - cut.top
    length = max(float(np.interp(flat / cut.waist, *_SKIRT_SHARE)) * reach, 1.0)
    along, offset = legs.middle.locate(points)
    rows = cut.top + (along - start) / length * flat
    build, waist = legs.build, legs.build.waist * _WAISTBAND
    beside = [min(apart + 0.1 * legs.torso, 1.6 * build.hip) for apart in legs.spread]
    knee = legs.hips + (reach - legs.hips) * 0.52
    least = np.interp(
        along,
        (start, legs.hips, knee, reach),
        (waist, build.hip * _EASE, max(build.hip, beside[0]), beside[1]),
    )
    falls = min(_FALLS, (SKIRT * build.hip / waist - 1) / max(cut.hip / cut.waist - 1, 1e-3))
    half = np.maximum(waist * (1 + falls * (cut.half(rows) / (cut.waist / 2) - 1)), least)
    u = -offset / half
    keep = np.clip((1 - np.abs(u)) * half + 0.5, 0, 1) * ((along > start - 2) & (along < start + length + 2))
    return sampled(cloth, cut.column(_around(u), rows), rows, keep, shape)


def _trousers(cloth: NDArray[np.float32], cut: LowerCut, legs: Legs, crotch: float, height: int, width: int) -> Layer:
    points, shape = pixel_middles(height, width)
    build = legs.build
    rise = max(crotch - cut.top, 1.0)
    usual, gain, most = _RISE
    start = -legs.torso * float(np.clip(gain * (rise / cut.hip - usual), -most, most))
    along, offset = legs.pelvis.locate(points)
    panel_rows = cut.top + (along - start) / (legs.crotch - start) * rise
    half = np.interp(
        along, (start, legs.hips, legs.crotch), (build.waist * _WAISTBAND, build.hip * _EASE, build.hip * _EASE)
    )
    panel_u = -offset / half
    # Below the hips it narrows to where the legs part; the legs lie over its sides.
    limit = np.interp(along, (legs.hips, legs.crotch), (1.0, 0.2))
    edge = np.clip((limit - np.abs(panel_u)) * half + 0.5, 0, 1) * ((along > start - 2) & (along < legs.crotch))
    panel = sampled(cloth, cut.column(np.clip(panel_u, -_INSIDE, _INSIDE), panel_rows), panel_rows, edge, shape)
    share = float(np.interp((cut.bottom - crotch) / np.sqrt(cut.hip * rise), *_LEG_SHARE))
    tubes = [_Tube(cut, legs, leg, points, crotch, rise, start, share) for leg in (0, 1)]
    order = (0, 1) if legs.front in (None, 1) else (1, 0)
    result = panel
    for place, leg in enumerate(order):
        tube, other = tubes[leg], tubes[order[1 - place]]
        # Beside one another each leg keeps to its side; crossed, the front one is whole.
        if place == 1 and legs.front is None:
            tube.keep = tube.keep * np.clip(
                np.where(other.keep > 0, (np.abs(other.u) - np.abs(tube.u)) * tube.half / 2 + 0.5, 1.0), 0, 1
            )
        result = over(tube.layer(cloth, panel_u, panel_rows, shape), result)
    return result


class _Tube:
    """One leg: where each pixel lies on it."""

    def __init__(
        self,
        cut: LowerCut,
        legs: Legs,
        leg: int,
        points: _Points,
        crotch: float,
        rise: float,
        start: float,
        share: float,
    ) -> None:
        self.cut, self.leg = cut, leg
        limb, parting = legs.legs[leg], legs.parting[leg]
        along, offset = limb.locate(points)
        below = max(limb.length - parting, 1.0)
        end = parting + share * below
        hip_row = cut.top + (legs.hips - start) / (legs.crotch - start) * rise
        left, right = cut.hems[leg] - crotch
        places = (-1e4, 0.0, parting, end)
        self.rows = np.interp(along, places, (hip_row - 1e4, hip_row, crotch, cut.bottom))
        scale = legs.build.hip * _EASE / (cut.hip / 2)
        self.half = np.maximum(cut.half(self.rows, leg) * scale, _ROOM * legs.thickness(along / max(limb.length, 1.0)))
        self.u = -offset / self.half
        hem = (left + right) / 2 + np.clip(self.u, -1, 1) * (right - left) / 2
        down = (along - parting) / max(end - parting, 1.0)
        self.rows = np.where(along > parting, crotch + down * np.maximum(hem, 1.0), self.rows)
        blend = np.clip(along / parting, 0, 1)
        self.blend = blend * blend * (3 - 2 * blend)
        cap = np.clip(self.half - np.hypot(along, offset) + 0.5, 0, 1)
        self.keep = np.clip((1 - np.abs(self.u)) * self.half + 0.5, 0, 1) * np.where(along < 0, cap, along < end + 2)

    def layer(self, cloth: NDArray[np.float32], panel_u: _Points, panel_rows: _Points, shape: tuple[int, int]) -> Layer:
        """The leg's cloth: above the crotch it goes over into the panel's, where a leg hangs they are the same."""
        beside = 2 * panel_u + (1 if self.leg == 0 else -1)
        u = self.blend * self.u + (1 - self.blend) * np.clip(beside, -1.5, 1.5)
        rows = self.blend * self.rows + (1 - self.blend) * panel_rows
        columns = self.cut.column(np.clip(u, -_INSIDE, _INSIDE), rows, self.leg)
        return sampled(cloth, columns, rows, self.keep, shape)


def _around(u: _Points) -> _Points:
    """Places on the cloth of places seen, -1 to 1, since it goes around the body."""
    inside = np.clip(u, -1, 1) * _INSIDE
    return np.asarray(np.arcsin(inside * np.sin(_WRAP)) / _WRAP)

"""Laying a garment onto a person: the cloth's own coordinates, found on the picture and again on the body.

The body panel goes around the torso and each sleeve around its arm. Every pixel of the result is traced back to a
place on the cloth, so nothing folds, however an arm is bent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lite_vton.category import Category, as_category
from lite_vton.errors import UserError
from lite_vton.garment.cut import ARM_TAPER, CHEST, Cut, SleeveCut, read_cut
from lite_vton.garment.inner_back import inner_back
from lite_vton.person.body import Build, Limb, Wearer
from lite_vton.person.keypoints import Keypoints, body_unit
from lite_vton.warp.layers import Layer, near_target_size, pixel_middles, plain, sampled
from lite_vton.warp.lower import lay_lower

__all__ = ["warp_garment"]

_Points = NDArray[np.float64]


@dataclass(frozen=True)
class _Fit:
    """How clothes sit: shortest and longest garment, in torso lengths from beside the neck."""

    length: tuple[float, float]


_SLIM, _STRAIGHT = 0.908, 1.0  # waist over chest of a garment that follows the body, and of one that hangs
_STRAIGHT_HEM = 39.5  # units of cloth; half the hem of a straight cut, and a little
_FITTED = 0.95  # v of the hem; shorter on paper is a wide garment more often than a short one
_WIDE_NOT_SHORT = 0.2
_LONG_SLEEVE = ((0.0, 0.5, 0.62, 0.88, 1.0), (0.0, 0.5, 0.89, 0.9, 1.0))
"""Shares of the arm, as measured flat and as worn: past the elbow sleeves are long ones, laid out in folds."""
_SHOULDER = 0.1  # share of the arm that the shortest sleeve covers


def warp_garment(
    garment: NDArray[np.uint8],
    mask: NDArray[np.float32],
    keypoints: Keypoints,
    height: int,
    width: int,
    category: str = "upper",
    cut: Cut | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Garment (h, w, 3) RGB with mask (h, w) in [0, 1], as the person of `keypoints` (pixels of the result) wears it.

    Returns (height, width, 3) uint8, black where there is no garment, and its coverage (height, width) float32
    in [0, 1], soft at the border. The garment is expected upright, seen from the front. Bare arms are left out: they
    are taken to be in front of the body. `cut` is how a top or dress is cut, where that is known; else it is read off
    its mask.
    `UserError` for an empty mask, keypoints without shoulders or hips, or "lower" garments where no knee is seen.
    """
    kind = as_category(category)
    if mask.shape != garment.shape[:2]:
        raise UserError(f"the garment mask is {mask.shape} and its picture {garment.shape[:2]}: give both one size")
    if not np.any(mask > 0.5):
        raise UserError("the garment's mask is empty: give a mask that marks the garment")
    body = keypoints.completed()
    widest, lay = _LAID[kind]
    whole = mask.shape[0]
    garment, mask = near_target_size(garment, mask, widest * body_unit(body.points.astype(np.float64)))
    shrunk = None if cut is None else cut.moved(0, 0, mask.shape[0] / whole)
    return plain(*lay(garment, mask, shrunk, body, height, width))


def _lay_top(
    garment: NDArray[np.uint8],
    mask: NDArray[np.float32],
    cut: Cut | None,
    body: Keypoints,
    height: int,
    width: int,
    fit: _Fit,
) -> Layer:
    cut, wearer = cut or read_cut(mask), Wearer.of(body)
    mask = np.where(inner_back(garment, mask, cut), 0, mask).astype(np.float32)
    cloth = np.dstack([garment.astype(np.float32) * mask[..., None], mask])
    result = _body_layer(cloth, cut, wearer, fit, height, width)
    for arm, sleeve in zip(wearer.arms, cut.sleeves, strict=True):
        result = _arm_over(result, arm, sleeve, wearer.build, cloth, height, width)
    return result


def _lay_bottom(
    garment: NDArray[np.uint8], mask: NDArray[np.float32], _cut: Cut | None, body: Keypoints, height: int, width: int
) -> Layer:
    return lay_lower(garment, mask, body, height, width)


_Lay = Callable[[NDArray[np.uint8], NDArray[np.float32], Cut | None, Keypoints, int, int], Layer]

_LAID: dict[Category, tuple[float, _Lay]] = {
    "upper": (2.6, partial(_lay_top, fit=_Fit((0.8, 1.35)))),
    "dress": (2.6, partial(_lay_top, fit=_Fit((1.5, 2.3)))),
    "lower": (2.0, _lay_bottom),
}
"""How wide a garment is at most once worn, in body units (a top with its sleeves spread), and what lays it."""


def _body_layer(cloth: NDArray[np.float32], cut: Cut, wearer: Wearer, fit: _Fit, height: int, width: int) -> Layer:
    length = cut.hem if cut.known else _likely_length(cut.hem, fit)
    points, shape = pixel_middles(height, width)
    half = _half_widths(cut, wearer.build)
    u, v = wearer.torso.locate(points, half)
    rows = cut.row(v * (cut.hem / length))
    columns = cut.column(u, rows)
    # Beyond the sides lie the sleeves.
    pixels = half[1][0]
    side = np.clip((1.02 - np.abs(u)) * pixels + 0.5, 0, 1)
    return sampled(cloth, columns, rows, np.where(v < length + 0.1, side, 0), shape)


def _likely_length(hem: float, fit: _Fit) -> float:
    """v of the hem on the body, of one read off a silhouette."""
    length = hem if hem >= _FITTED else _FITTED - _WIDE_NOT_SHORT * (_FITTED - hem)
    return float(np.clip(length, *fit.length))


def _half_widths(cut: Cut, build: Build) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Half widths in pixels at v: the body's with the garment's ease; below the hips it hangs as it is cut."""
    size = build.size
    loose = float(np.clip((cut.widths[1] / CHEST - _SLIM) / (_STRAIGHT - _SLIM), 0, 1))
    straight = max(build.chest, 0.97 * build.hip) + 1.5 * size

    def eased(body: float, ease: float) -> float:
        snug = body + 0.9 * size
        return snug * (1 - loose) + max(straight + ease, snug) * loose

    # Wider at the hem than any straight cut, it stands off the body.
    waist, hip = (
        body * float(np.clip(flat / _STRAIGHT_HEM, 1.0, 1.3))
        for body, flat in zip((eased(build.waist, 0.0), eased(build.hip, size)), cut.widths[1:], strict=True)
    )
    places = (-0.1, 0.12, 0.33, 0.68, 1.0, *(v for v, _ in cut.flare))
    shoulder = build.shoulder + 0.5 * size
    halves = (shoulder, shoulder, build.chest + (1.2 + 1.5 * loose) * size, waist, hip)
    return places, (*halves, *(max(0.5, share) * hip * 1.01 for _, share in cut.flare))


def _arm_over(
    below: Layer, arm: Limb, sleeve: SleeveCut | None, build: Build, cloth: NDArray[np.float32], height: int, width: int
) -> Layer:
    """The arm before what is there: bare skin takes the place of cloth, then comes the sleeve."""
    colour, cover = (part.copy() for part in below)
    reach = arm.length
    widest = 3 * build.arm
    low = np.floor(np.clip(arm.line.min(axis=0) - widest, 0, (width, height))).astype(int)
    high = np.ceil(np.clip(arm.line.max(axis=0) + widest, 0, (width, height))).astype(int)
    if np.any(high <= low) or reach < 1:
        return colour, cover
    points, shape = pixel_middles(high[1] - low[1], high[0] - low[0])
    along, offset = arm.locate(points + low)
    box = slice(low[1], high[1]), slice(low[0], high[0])
    if arm.seen:
        skin = np.interp(along / reach, ARM_TAPER[0], ARM_TAPER[1]) * _thickness(along / reach, build)
        bare = np.clip(skin - np.abs(offset) + 0.5, 0, 1) * _cap(along, offset, skin) * (along < reach)
        keep = (1 - bare).reshape(shape).astype(np.float32)
        colour[box] *= keep[..., None]
        cover[box] *= keep
    if sleeve is not None:
        top = _sleeve_layer(cloth, sleeve, build, along, offset, reach, shape)
        colour[box] = top[0] + colour[box] * (1 - top[1][..., None])
        cover[box] = top[1] + cover[box] * (1 - top[1])
    return colour, cover


def _sleeve_layer(
    cloth: NDArray[np.float32],
    sleeve: SleeveCut,
    build: Build,
    along: _Points,
    offset: _Points,
    reach: float,
    shape: tuple[int, int],
) -> Layer:
    share = _SHOULDER + (1 - _SHOULDER) * float(np.interp(sleeve.share, *_LONG_SLEEVE))
    t = along / (share * reach)
    places = np.linspace(0, 1, len(sleeve.half))
    flat = np.interp(t, places, sleeve.half)
    unit = float(np.linalg.norm(sleeve.end - sleeve.start)) / (14 + 96 * sleeve.share)
    worn = np.interp(t, places, sleeve.half) / unit * _thickness(t * sleeve.share, build)
    u = offset / np.maximum(worn, 0.5)
    way = sleeve.end - sleeve.start
    length = float(np.linalg.norm(way))
    forward = way / length
    across = np.array([-forward[1], forward[0]])
    # Above the shoulder the sleeve is rounded, as long for its width as on the body.
    depth = np.where(t < 0, along / np.maximum(worn, 0.5) * flat, t * length)
    source = sleeve.start + depth[:, None] * forward + (u * flat)[:, None] * across
    edge = np.clip((1 - np.abs(u)) * worn + 0.5, 0, 1) * _cap(along, offset, worn)
    return sampled(cloth, source[:, 0], source[:, 1], edge, shape)


def _thickness(share: _Points, build: Build) -> _Points:
    """Pixels a unit of cloth at shares of the arm: thin arms have narrow sleeves."""
    upper, lower = build.arm / 8.6, build.wrist / 5.2
    return np.asarray(np.interp(share, (0.0, 0.45, 1.0), (upper, upper, lower)))


def _cap(along: _Points, offset: _Points, half: _Points) -> _Points:
    """1 beyond the shoulder; above it a half disc."""
    return np.asarray(np.where(along < 0, np.clip(half - np.hypot(along, offset) + 0.5, 0, 1), 1.0))

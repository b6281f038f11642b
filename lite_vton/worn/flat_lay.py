"""A garment that somebody wears in its photo, laid flat again like in a shop's photo.

Every pixel of the flat lay is a place on the cloth, and `lite_vton.person.body` says where on the person that place is
seen: the inverse of what `lite_vton.warp` does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lite_vton.category import as_category
from lite_vton.errors import UserError
from lite_vton.garment.cut import ARM_TAPER, CHEST, SEAM_ALLOWANCE, TORSO, Cut, SleeveCut
from lite_vton.garment.cutout import Cutout
from lite_vton.garment.sleeves import ARM_UNITS, FLAT, SHORT_SLEEVE, SHORTEST, WORN, Points, thickness
from lite_vton.person.body import Wearer
from lite_vton.person.keypoints import Keypoints
from lite_vton.worn.cloth import WornCloth, places, worn_cloth
from lite_vton.worn.measure import (
    EDGE_FROM,
    LENGTHS,
    LONG,
    Half,
    eases_of,
    edge_of,
    hem_of,
    looked_up,
    measured_lengths,
    sleeve_share,
    usual_half,
)

__all__ = ["FlatLay", "laid_flat", "lay_flat"]

_Floats = NDArray[np.float32]

_LARGEST = 3.0  # pixels a unit of cloth, in the flat lay
_COARSE = 1.3  # the same, where the garment is looked for
_LEAST = 0.8  # below that the garment is too small to show anything
_MARGIN = 6.0  # units of cloth
_ROWS = 33  # at which a known cut tells its widths

_SPREAD = np.radians(35)  # how far a sleeve is spread from straight down
_START = 0.83 * CHEST, 0.165 * TORSO  # where a sleeve's middle line begins, units of cloth from the middle of the top
_SHOULDER = 0.6, 0.184  # u at which the shoulder is as high as v = 0, and how much v it falls for each u
_NECK = 0.6, 0.5  # u and v that no neckline reaches
_TOP = -0.08  # v where a neckline's edges meet the shoulders
_NECKLINES = (2.0, 4.0, 1.0)  # a round one, a wide one, a V


@dataclass(frozen=True)
class FlatLay:
    """A worn garment as if photographed flat.

    `cutout` (h, w); `hidden` (h, w) bool, where the photo does not show the cloth: those pixels are filled, copied from
    the other side or painted in from around.
    """

    cutout: Cutout
    hidden: NDArray[np.bool_]


def lay_flat(
    photo_pixels: NDArray[np.uint8],
    keypoints: Keypoints,
    silhouette: _Floats,
    category: str = "upper",
    mask: _Floats | None = None,
) -> Cutout:
    """The worn garment, upright with its sleeves spread, as if photographed flat.

    `photo_pixels` (H, W, 3) uint8 RGB; `keypoints` in its pixels; `silhouette` (H, W) in [0, 1], the person;
    `mask` (H, W) in [0, 1], the garment if it is known, e.g. from a parse map, else it is told by colours.
    What arms, hands, hair and bags hide is filled from the other side, or else from around it.
    `UserError` where the person shows no torso, or is too small, and for "lower".
    """
    return laid_flat(photo_pixels, keypoints, silhouette, category, mask).cutout


def laid_flat(
    photo_pixels: NDArray[np.uint8],
    keypoints: Keypoints,
    silhouette: _Floats,
    category: str = "upper",
    mask: _Floats | None = None,
    skin: _Floats | None = None,
    bare_arm_tells: bool = False,
) -> FlatLay:
    """`lay_flat`, and which of its pixels the photo hides.

    `skin` (H, W) in [0, 1], bare neck, arms and legs if they are known, else they have the face's colours.
    With `bare_arm_tells` sleeves are as short as on the barer arm. Usually the longer one counts, since hair or a bag
    may hide the other; but an arm before or behind the body may show cloth that is no sleeve.
    """
    kind = as_category(category)
    if kind not in LENGTHS:
        raise UserError("the garment is worn in its photo, and trousers or a skirt can be used only when they lie flat")
    body = keypoints.completed()
    for name, other in (("silhouette", silhouette), ("mask", mask), ("skin", skin)):
        if other is not None and other.shape != photo_pixels.shape[:2]:
            raise UserError(f"the {name} is {other.shape} and its photo {photo_pixels.shape[:2]}: give both one size")
    size = Wearer.of(body).build.size
    if size < _LEAST:
        raise UserError(
            "the person who wears the garment is too small in its photo: use one where the torso is at least "
            f"{round(_LEAST * TORSO)} pixels high"
        )
    # Where things are is told on a small picture, what they look like is read from a larger one.
    large = _resized(photo_pixels, min(1.0, _LARGEST / size))
    photo = _resized(photo_pixels, min(1.0, _COARSE / size))
    person, known, bare = (None if part is None else _fitted(part, photo) for part in (silhouette, mask, skin))
    assert person is not None
    shrunk = np.array([photo.shape[1] / photo_pixels.shape[1], photo.shape[0] / photo_pixels.shape[0]])
    body = Keypoints((body.points * shrunk).astype(np.float32), body.confidence)
    wearer = Wearer.of(body)
    height, width = person.shape
    half = usual_half(wearer.build)
    place = places(body, wearer, half, height, width)
    found = worn_cloth(photo, body, person, place, kind, known, bare)
    half = measured_lengths(half, found.cloth, wearer)
    place = places(body, wearer, half, height, width)
    hem = hem_of(found.cloth, place, LENGTHS[kind], sure=known is not None)
    if kind == "upper" and hem > LONG and known is None:
        hem = edge_of(photo, person > 0.5, place, EDGE_FROM, hem)
    sleeve = sleeve_share(found, wearer, bare_arm_tells)
    lay = _Lay(wearer, half, hem, sleeve, eases_of(found.cloth, wearer, sleeve))
    return lay.fill(large, found)


@dataclass(frozen=True)
class _Lay:
    """The flat lay of one garment: `half` widths on the person, `hem` v, `sleeve` share of the arm, `eases` its width
    for the arm's, left and right."""

    wearer: Wearer
    half: Half
    hem: float
    sleeve: float
    eases: tuple[float, float]

    def fill(self, photo: NDArray[np.uint8], found: WornCloth) -> FlatLay:
        import cv2

        scale = photo.shape[1] / found.cloth.shape[1]
        unit = self.wearer.build.size * scale
        spread = _START[0] + (self._sleeve_units() + 20) * np.sin(_SPREAD) if self.sleeve else 0.0
        widest = max(spread, 1.02 * float(self._flat(np.linspace(0, self.hem, 50)).max())) + _MARGIN
        drop = max(self.hem * TORSO, _START[1] + self._sleeve_units() + 12 if self.sleeve else 0.0) + _MARGIN
        rise = 0.16 * TORSO + _MARGIN
        width, height = 2 * round(widest * unit) + 1, round((drop + rise) * unit)
        x, y = np.meshgrid(np.arange(width) - width // 2, np.arange(height))
        across, down = x / unit, y / unit - rise
        source, wanted = self._body(across, down, found)
        for side in (0, 1):
            piece, at = self._sleeve(across, down, side)
            take = piece & ~wanted
            source[take] = at[take]
            wanted |= take
        fine, maps = (np.clip(source * k - 0.5, -1e4, 3e4).astype(np.float32) for k in (scale, 1.0))
        pixels = cv2.remap(photo, fine[..., 0], fine[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        # The rim mixes with what is behind.
        cloth = found.cloth.astype(np.uint8)
        solid = cv2.erode(cloth, np.ones((3, 3), np.uint8))
        shown, seen = (
            cv2.remap(part, maps[..., 0], maps[..., 1], cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT) > 0
            for part in (cloth, solid)
        )
        whole = _filled(np.asarray(pixels, np.uint8), seen & wanted, wanted)
        soft = cv2.GaussianBlur(wanted.astype(np.float32), (3, 3), 0)
        # The rim is filled too, but not hidden.
        cut = self._cut(unit, width // 2, rise * unit)
        return FlatLay(Cutout(whole, np.asarray(soft, np.float32), cut), np.asarray(wanted & ~shown))

    def _cut(self, unit: float, middle: float, top: float) -> Cut:
        """As it is drawn, `unit` pixels a unit of cloth, around column `middle` from row `top`."""
        v = np.linspace(-0.16, self.hem, _ROWS)
        reach = self._flat(v) * unit
        chest, waist, hips = (float(each) for each in self._flat(np.minimum((0.38, 0.68, 1.0), self.hem)))
        below = np.array([1.2, 1.6, 2.2])
        flare = zip(below.tolist(), (self._flat(np.minimum(below, self.hem)) / hips).tolist(), strict=True)
        sides = middle + np.stack([-reach, reach], axis=1)
        corner = np.array([middle, top])
        sleeves = tuple(self._sleeve_cut(unit, corner, side) if self.sleeve else None for side in (0, 1))
        return Cut(
            top,
            unit,
            top + v * TORSO * unit,
            sides,
            self.hem,
            (chest, waist, hips),
            tuple(flare),
            (sleeves[0], sleeves[1]),
            known=True,
        )

    def _sleeve_cut(self, unit: float, corner: Points, side: int) -> SleeveCut:
        sign = -1.0 if side == 0 else 1.0
        start = corner + unit * np.array([sign * _START[0], _START[1]])
        way = self._sleeve_units() * unit * np.array([sign * np.sin(_SPREAD), np.cos(_SPREAD)])
        share = self._flat_share()
        half = np.interp(np.linspace(0, share, _ROWS), *ARM_TAPER) * self.eases[side] + SEAM_ALLOWANCE
        return SleeveCut(start, start + way, half * unit, share)

    def _flat(self, v: Points) -> Points:
        """Half widths in units of cloth."""
        at, pixels = np.array(self.half[0]), np.array(self.half[1])
        chest = float(np.interp(0.33, at, pixels))
        widths = CHEST * np.interp(v, at, pixels) / chest
        return np.asarray(np.where(v < 0.36, CHEST, np.clip(widths, 0.85 * CHEST, 2.2 * CHEST)))

    def _sleeve_units(self) -> float:
        return SHORTEST + ARM_UNITS * self._flat_share()

    def _flat_share(self) -> float:
        return float(np.interp((self.sleeve - SHORT_SLEEVE) / (1 - SHORT_SLEEVE), WORN, FLAT))

    def _body(self, across: Points, down: Points, found: WornCloth) -> tuple[Points, NDArray[np.bool_]]:
        """Pixel of the photo (h, w, 2) for each of the panel's, and which the garment has."""
        v = down / TORSO
        u = across / self._flat(v)
        shape = v.shape
        source = self.wearer.torso.place(u.ravel(), v.ravel(), self.half).reshape(*shape, 2)
        panel = (np.abs(u) <= 1) & (v <= self.hem) & (v >= _SHOULDER[1] * (np.abs(u) - _SHOULDER[0]))
        cloth, skin = (looked_up(part, source) for part in (found.cloth, found.skin))
        collar = cloth & (np.abs(u) < 0.45) & (v > -0.14) & (v <= 0.1)
        neck = _neckline(skin, cloth, panel, u, v)
        if not self.sleeve:
            # An armhole instead of a seam.
            panel &= ~((v < 0.34) & (np.abs(u) > 0.8 + 0.2 * np.clip((v - 0.1) / 0.24, 0, 1) ** 2))
        return source, (panel | collar) & ~neck

    def _sleeve(self, across: Points, down: Points, side: int) -> tuple[NDArray[np.bool_], Points]:
        if not self.sleeve:
            return np.zeros(across.shape, bool), np.zeros((*across.shape, 2))
        sign = -1.0 if side == 0 else 1.0
        forward = np.array([sign * np.sin(_SPREAD), np.cos(_SPREAD)])
        aside = np.array([-forward[1], forward[0]])
        x, y = across - sign * _START[0], down - _START[1]
        length = self._sleeve_units()
        t = (x * forward[0] + y * forward[1]) / length
        offset = x * aside[0] + y * aside[1]
        ease = self.eases[side]
        share = t * self._flat_share()
        half = np.interp(share, *ARM_TAPER) * ease + SEAM_ALLOWANCE
        shoulder = down / TORSO >= _SHOULDER[1] * (np.abs(across) / CHEST - _SHOULDER[0])
        region = (t > -0.1) & (t <= 1) & (np.abs(offset) <= half) & shoulder
        # Above the shoulder point the arm's top is the torso's.
        arm = self.wearer.arms[side]
        worn = half * thickness(share, self.wearer.build)
        at = arm.place((np.maximum(t, 0) * self.sleeve * arm.length).ravel(), (offset / half * worn * 0.92).ravel())
        return region, at.reshape(*across.shape, 2)


def _resized(pixels: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    import cv2

    size = (max(8, round(pixels.shape[1] * scale)), max(8, round(pixels.shape[0] * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _fitted(part: _Floats, photo: NDArray[np.uint8]) -> _Floats:
    import cv2

    size = (photo.shape[1], photo.shape[0])
    return np.asarray(cv2.resize(part.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)


def _neckline(
    skin: NDArray[np.bool_], cloth: NDArray[np.bool_], panel: NDArray[np.bool_], u: Points, v: Points
) -> NDArray[np.bool_]:
    """What the neck leaves open: the symmetric opening that holds most skin and least cloth; hair says nothing."""
    middle = np.abs(u[len(u) // 2])
    rows = v[:, 0]
    columns, lines = np.flatnonzero(middle < _NECK[0]), np.flatnonzero((rows > -0.1) & (rows < _NECK[1]))
    step = max(1, len(columns) // 60)
    columns, lines = columns[::step], lines[::step]
    part = np.ix_(lines, columns)
    away, down = middle[columns][None], rows[lines][:, None]
    gain = np.where(panel[part], skin[part].astype(float) - cloth[part], 0.0)
    best, found = 0.0, (0.0, 1.0, 2.0)
    for wide in np.linspace(0.16, 0.56, 9):
        for power in _NECKLINES:
            profile = 1 - np.clip(away / wide, 0, 1) ** power
            for deep in np.linspace(0.03, 0.42, 14):
                score = float(gain[(down < _TOP + (deep - _TOP) * profile) & (away < wide)].sum())
                if score > 1.04 * best:
                    best, found = score, (float(deep), float(wide), power)
    deep, wide, power = found
    if best <= 0:
        return np.zeros(panel.shape, bool)
    profile = 1 - np.clip(np.abs(u) / wide, 0, 1) ** power
    return np.asarray((v < _TOP + (deep - _TOP) * profile) & (np.abs(u) < wide))


def _filled(pixels: NDArray[np.uint8], seen: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Holes take the other side's pixels, and what neither shows is painted in from around it."""
    import cv2

    mirrored = seen[:, ::-1] & ~seen & wanted
    result = np.where(mirrored[..., None], pixels[:, ::-1], pixels)
    holes = wanted & ~seen & ~mirrored
    known = wanted & ~holes
    if not known.any():
        raise UserError("nothing of the garment is seen in its photo: use one where the wearer faces the camera")
    # The colours of the surroundings must not be painted in.
    result[~wanted] = np.median(result[known], axis=0).astype(np.uint8)
    around = cv2.inpaint(np.ascontiguousarray(result), (~known).astype(np.uint8), 3, cv2.INPAINT_TELEA)
    return np.asarray(np.where(holes[..., None], around, result), np.uint8)

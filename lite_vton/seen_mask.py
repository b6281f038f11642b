"""An agnostic mask made exact by what is seen of the person: silhouette, hands, and the colours of hair and cloth.

Keypoints alone repaint a wide band of background around the body, and spare a face but not the hair that falls over
a shoulder, nor a bag held before the body. A parse map knows better (`lite_vton.parsed_mask`); photos come without.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lite_vton.crop import Crop, take_crop
from lite_vton.mask import body_unit
from lite_vton.pose import Joint, Keypoints

__all__ = ["SeenMask", "Sight", "seen_mask"]

_Mask = NDArray[np.bool_]
_Points = NDArray[np.float64]


@dataclass(frozen=True)
class Sight:
    """What was seen of a person in a picture (H, W).

    `silhouette` (H, W) float32 in [0, 1] and `hands` (2, 4, 2) in pixels, as `lite_vton.people.Person` has them.
    """

    silhouette: NDArray[np.float32]
    hands: _Points

    def moved(self, crop: Crop, height: int, width: int) -> Sight:
        """The same in `crop` resized to (height, width); nobody is beyond the picture's edge but who is cut by it."""
        shown = take_crop(np.rint(255 * self.silhouette).astype(np.uint8), crop, height, width)
        scale = np.array([width / crop.width, height / crop.height])
        hands = (self.hands - np.array([crop.left, crop.top])) * scale
        return Sight(shown.astype(np.float32) / 255, hands)


@dataclass(frozen=True)
class SeenMask:
    """`mask` (H, W) float32 in {0, 1}, 1 = repaint; `spared` (H, W) bool: hands, hair, face and what is held.

    A warped garment that reaches beyond the mask may widen it, but not over what is spared.
    """

    mask: NDArray[np.float32]
    spared: _Mask


# In body units, about a shoulder width.
_MARGIN = 0.1  # of background around the silhouette: the new garment may be wider than the old one
_LOOSE = 0.3  # how far beyond the keypoints' mask cloth of the old garment is looked for
_SHOULDER_RISE = 0.25  # how far above the neck point the slope of the shoulders begins
_PALM, _FINGERS = 0.07, 1.5  # radius around a hand's points; its length over what MediaPipe's points span
_CHEST = 0.75  # of the way from shoulders to hips
_WAIST = 0.8  # torso lengths below the neck: no hem lies higher
_THIGHS = 1.35  # torso lengths below the neck: few upper garments hang lower
_HAIR_REACH = 1.2  # below the nose
_HELD_REACH = 0.55  # around a hand
# CIELAB
_CLEARLY = 8.0  # nearer to one palette than to the other by this much
_FOREIGN = 22.0  # unlike cloth, skin and background: something held
_SKIN, _HIDDEN = 11.0, 0.15  # distance in hue mostly; share of a hand that looks like the face
_OTHER = 14.0  # another piece of clothing
_COLOURS = 4  # in a palette


def seen_mask(covered: NDArray[np.float32], picture: NDArray[np.uint8], sight: Sight, keypoints: Keypoints) -> SeenMask:
    """`covered` (H, W) in {0, 1}, the mask from keypoints alone, corrected; picture (H, W, 3) RGB and all else of its
    size.

    Background farther than a margin from the person stays. Cloth of the old garment that hangs out beyond the
    keypoints' mask goes. Hands, hair, the head and things held before the body stay, where their colours can be told
    from the cloth's.
    """
    import cv2

    lab = np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    body = keypoints.completed()
    unit = body_unit(body.points.astype(np.float64))
    person = sight.silhouette > 0.5
    wide = covered > 0.5
    core = _core(body, covered.shape) & person
    cloth = _palette(lab[core])
    near = wide & _grown(person, _MARGIN * unit)
    if cloth is not None:
        to_cloth = _distance(lab, cloth)
        near |= _loose(to_cloth, person, wide, body, unit)
        near &= ~_bottom(lab, to_cloth, person, body, unit)
    face = _face(keypoints, unit, covered.shape)
    skin = _palette(lab[face & person])
    hands = _skinned(_hands(sight.hands, keypoints, unit, covered.shape) & person, lab, skin, unit)
    spared = hands | _hair(lab, person, face, cloth, keypoints, unit)
    spared |= _held(lab, person, hands, cloth, skin, keypoints, unit)
    mask = _without_specks(near & ~spared, unit) & ~hands
    return SeenMask(mask.astype(np.float32), ~mask & (spared | face))


def _core(body: Keypoints, shape: tuple[int, ...]) -> _Mask:
    """The middle of the chest, where nothing but the garment is seen: short ones end above the hips."""
    import cv2

    points = body.points.astype(np.float64)
    shoulders, hips = points[[Joint.R_SHOULDER, Joint.L_SHOULDER]], points[[Joint.R_HIP, Joint.L_HIP]]
    corners = np.vstack([shoulders, shoulders + _CHEST * (hips - shoulders)])
    corners = corners.mean(axis=0) + 0.8 * (corners - corners.mean(axis=0))
    canvas = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(canvas, cv2.convexHull(np.rint(np.clip(corners, -9e3, 9e3)).astype(np.int32)), (1,))
    return np.asarray(canvas > 0)


def _loose(to_cloth: NDArray[np.float32], person: _Mask, wide: _Mask, body: Keypoints, unit: float) -> _Mask:
    """Cloth at and beyond the rim of the keypoints' mask, from the shoulders down to where that ends, with a margin:
    the pasted picture fades in over one, and what lies under that would shine through."""
    rows = np.flatnonzero(wide.any(axis=1))
    beside = person & _grown(wide, _LOOSE * unit) & (to_cloth < _OTHER)
    beside[: max(0, round(float(body.points[Joint.NECK, 1]) - _SHOULDER_RISE * unit))] = False
    beside[int(rows[-1]) if len(rows) else 0 :] = False
    solid = _closed(_shrunk(beside, 0.01 * unit), 0.03 * unit)
    return _grown(_joined(solid, wide & person), 0.6 * _MARGIN * unit)


def _bottom(
    lab: NDArray[np.float32], to_cloth: NDArray[np.float32], person: _Mask, body: Keypoints, unit: float
) -> _Mask:
    """Trousers or a skirt below the hem of the old garment: what has the colours of the thighs and not of the chest.

    Nobody has to invent them, and a longer garment may still come down over them: `SeenMask.spared` leaves them out.
    """
    points = body.points.astype(np.float64)
    neck, hips = points[Joint.NECK], points[[Joint.R_HIP, Joint.L_HIP]].mean(axis=0)
    waist, thighs = (max(0, round(neck[1] + share * (hips[1] - neck[1]))) for share in (_WAIST, _THIGHS))
    below = np.zeros_like(person)
    below[thighs:] = person[thighs:]
    worn = _palette(lab[below])
    if worn is None:
        return np.zeros_like(person)
    to_worn = _distance(lab, worn)
    like = person & (to_worn < _OTHER) & (to_worn + _CLEARLY < to_cloth)
    like[:waist] = False
    return _joined(_closed(_shrunk(like, 0.01 * unit), 0.08 * unit) & person, below)


def _face(keypoints: Keypoints, unit: float, shape: tuple[int, ...]) -> _Mask:
    """Skin of the face without its rim, from eyes and nose; empty where they are not seen."""
    import cv2

    canvas = np.zeros(shape[:2], np.uint8)
    if keypoints.sees(Joint.NOSE, Joint.R_EYE, Joint.L_EYE):
        points = keypoints.points.astype(np.float64)
        eyes = points[[Joint.R_EYE, Joint.L_EYE]].mean(axis=0)
        nose = points[Joint.NOSE]
        radius = max(1.0, float(np.linalg.norm(nose - eyes)), 0.06 * unit)
        centre = nose + 0.1 * (nose - eyes)
        cv2.circle(canvas, _pixel(centre), round(radius), (1,), -1)
    return np.asarray(canvas > 0)


def _hair(
    lab: NDArray[np.float32],
    person: _Mask,
    face: _Mask,
    cloth: _Points | None,
    keypoints: Keypoints,
    unit: float,
) -> _Mask:
    """Hair as far as it falls: joined to what is above the eyes, of its colours, unlike skin and cloth."""
    nothing = np.zeros(person.shape, bool)
    skin = _palette(lab[face & person])
    if skin is None or cloth is None:
        return nothing
    points = keypoints.points.astype(np.float64)
    eyes = points[[Joint.R_EYE, Joint.L_EYE]].mean(axis=0)
    nose = points[Joint.NOSE]
    rows, columns = np.mgrid[: person.shape[0], : person.shape[1]].astype(np.float64)
    above = eyes[1] - 1.2 * float(np.linalg.norm(nose - eyes))
    top = person & (rows < above) & (np.hypot(columns - eyes[0], rows - eyes[1]) < 0.8 * unit)
    top &= _distance(lab, skin) > _CLEARLY
    hair = _palette(lab[_shrunk(top, 0.02 * unit)])
    if hair is None:
        return nothing
    from_cloth, from_skin = _distance(lab, cloth), _distance(lab, skin)
    near = person & (rows < nose[1] + _HAIR_REACH * unit) & (np.abs(columns - nose[0]) < 0.8 * unit)
    found = top
    for _ in range(2):
        to_hair = _distance(lab, hair)
        like = near & (to_hair < 2 * _CLEARLY) & (to_hair + _CLEARLY < from_cloth) & (to_hair < from_skin)
        found = _joined(_closed(like, 0.03 * unit), top) | top
        # Ends are often lighter than what grows on the head.
        hair = _both(hair, _palette(lab[_shrunk(found & (rows > nose[1]), 0.02 * unit)]))
    return _grown(found & ~face, 1)


def _hands(hands: _Points, keypoints: Keypoints, unit: float, shape: tuple[int, ...]) -> _Mask:
    """From the wrist to the finger tips."""
    import cv2

    canvas = np.zeros(shape[:2], np.uint8)
    for hand, wrist in zip(hands, (Joint.R_WRIST, Joint.L_WRIST), strict=True):
        if np.isnan(hand).any() or not keypoints.sees(wrist):
            continue
        points = hand[0] + _FINGERS * (hand[1:] - hand[0])
        start = hand[0] + 0.15 * (points.mean(axis=0) - hand[0])
        hull = cv2.convexHull(np.rint(np.clip(np.vstack([start, points]), -9e3, 9e3)).astype(np.int32))
        cv2.fillConvexPoly(canvas, hull, (1,))
        cv2.polylines(canvas, [hull], True, (1,), max(1, round(2 * _PALM * unit)))
    return np.asarray(canvas > 0)


def _skinned(hands: _Mask, lab: NDArray[np.float32], skin: _Points | None, unit: float) -> _Mask:
    """The part of `hands` that has the face's colours; nothing where that is little: hands in pockets are found too."""
    if skin is None or not hands.any():
        return hands
    # Hands are lit otherwise than faces: hue counts, lightness less.
    weights = np.array([0.4, 1.0, 1.0], np.float32)
    like = hands & (_distance(lab * weights, skin * weights) < _SKIN)
    if like.sum() < _HIDDEN * hands.sum():
        return np.zeros_like(hands)
    return _grown(_closed(_shrunk(like, 0.01 * unit), 0.04 * unit), 0.02 * unit) & hands


def _held(
    lab: NDArray[np.float32],
    person: _Mask,
    hands: _Mask,
    cloth: _Points | None,
    skin: _Points | None,
    keypoints: Keypoints,
    unit: float,
) -> _Mask:
    """Things joined to a hand whose colours are neither the garment's nor skin nor the background's."""
    nothing = np.zeros(person.shape, bool)
    if cloth is None or not hands.any():
        return nothing
    shown = _palette(lab[_shrunk(hands, 0.02 * unit)])
    around = _grown(hands, _HELD_REACH * unit)
    background = _palette(lab[around & ~_grown(person, 0.05 * unit)])
    foreign = around & person & (_distance(lab, cloth) > _FOREIGN)
    for palette in (skin, shown, background):
        if palette is not None:
            foreign &= _distance(lab, palette) > _FOREIGN
    # Trousers below the hips are no bag; they are not repainted anyway.
    hips = keypoints.completed().points[[Joint.R_HIP, Joint.L_HIP], 1].mean()
    foreign[max(0, round(float(hips))) :] = False
    solid = _shrunk(foreign, 0.02 * unit)
    return _grown(_joined(solid, _grown(hands, 0.05 * unit)), 0.03 * unit) & person


def _palette(colours: NDArray[np.float32]) -> _Points | None:
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


def _both(palette: _Points, other: _Points | None) -> _Points:
    return palette if other is None else np.vstack([palette, other])


def _distance(lab: NDArray[np.float32], palette: _Points) -> NDArray[np.float32]:
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


def _grown(mask: _Mask, radius: float) -> _Mask:
    import cv2

    return np.asarray(cv2.dilate(mask.astype(np.uint8), _disc(radius)) > 0)


def _shrunk(mask: _Mask, radius: float) -> _Mask:
    import cv2

    return np.asarray(cv2.erode(mask.astype(np.uint8), _disc(radius)) > 0)


def _closed(mask: _Mask, radius: float) -> _Mask:
    import cv2

    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, _disc(radius)) > 0)


def _joined(mask: _Mask, to: _Mask) -> _Mask:
    """Those pieces of `mask` that meet `to`, itself grown by a pixel."""
    import cv2

    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    met = np.unique(labels[_grown(to, 1) & mask])
    return np.asarray(np.isin(labels, met[met > 0]))


def _without_specks(mask: _Mask, unit: float) -> _Mask:
    """Without crumbs and pinholes, which would flicker in the picture."""
    import cv2

    smooth = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, _disc(0.015 * unit))
    return np.asarray(cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, _disc(0.015 * unit)) > 0)


def _pixel(point: _Points) -> tuple[int, int]:
    x, y = np.clip(np.rint(point), -9e3, 9e3).astype(int)
    return int(x), int(y)

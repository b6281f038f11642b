"""What of a person a try-on leaves as it is, found by keypoints and colours: face, hair, hands, things held."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lite_vton.person.keypoints import Joint, Keypoints
from lite_vton.photo.regions import Mask, Palette, both, closed, distance, grown, joined, opened, palette, shrunk

__all__ = ["SKIN_WEIGHTS", "face_of", "hair", "hands_of", "held", "skinned"]

_Points = NDArray[np.float64]

SKIN_WEIGHTS = np.array([0.4, 1.0, 1.0], np.float32)
"""Of CIELAB's lightness and hue: hands and neck are lit otherwise than the face whose colours are looked for."""

# In body units, about a shoulder width.
_PALM, _FINGERS = 0.07, 1.5  # radius around a hand's points; its length over what MediaPipe's points span
_HAIR_REACH = 1.2  # below the nose
_STRAND = 0.035  # half of what hair is wide at least: the shade along a collar has its colours, and is narrower
_LOCK = 0.06  # half of what a piece of hair by itself is wide at least
_SHADED = 0.045  # of hair beside cloth: there the photo shows through within the mask (`crop.paste_mask`)
_HELD_REACH = 0.55  # around a hand
# CIELAB
_CLEARLY = 8.0  # nearer to one palette than to the other by this much
_LIKE_CLOTH = 18.0  # in another light
_FOREIGN = 22.0  # unlike cloth, skin and background: something held
_SKIN, _HIDDEN = 11.0, 0.15  # distance in hue mostly; share of a hand that looks like the face


def face_of(keypoints: Keypoints, unit: float, shape: tuple[int, ...]) -> Mask:
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


def hair(
    lab: NDArray[np.float32],
    person: Mask,
    face: Mask,
    cloth: Palette | None,
    keypoints: Keypoints,
    unit: float,
) -> Mask:
    """Hair as far as it falls: joined to what is above the eyes, of its colours, unlike skin and cloth."""
    nothing = np.zeros(person.shape, bool)
    skin = palette(lab[face & person])
    if skin is None or cloth is None:
        return nothing
    points = keypoints.points.astype(np.float64)
    eyes = points[[Joint.R_EYE, Joint.L_EYE]].mean(axis=0)
    nose = points[Joint.NOSE]
    rows, columns = np.mgrid[: person.shape[0], : person.shape[1]].astype(np.float64)
    above = eyes[1] - 1.2 * float(np.linalg.norm(nose - eyes))
    top = person & (rows < above) & (np.hypot(columns - eyes[0], rows - eyes[1]) < 0.8 * unit)
    top &= distance(lab, skin) > _CLEARLY
    hair = palette(lab[shrunk(top, 0.02 * unit)])
    if hair is None:
        return nothing
    from_cloth, from_skin = distance(lab, cloth), distance(lab, skin)
    near = person & (rows < nose[1] + _HAIR_REACH * unit) & (np.abs(columns - nose[0]) < 0.8 * unit)
    found = top
    for _ in range(2):
        to_hair = distance(lab, hair)
        like = near & (to_hair < 2 * _CLEARLY) & (to_hair + _CLEARLY < from_cloth) & (to_hair < from_skin)
        falling = joined(closed(like, 0.03 * unit), top)
        found = opened(falling, _STRAND * unit) | top
        # Ends are often lighter than what grows on the head.
        hair = both(hair, palette(lab[shrunk(found & (rows > nose[1]), 0.02 * unit)]))
    shining = person & (from_cloth < _LIKE_CLOTH)  # between strands too
    found &= ~face & ~shining
    rim = grown(shining, _SHADED * unit)
    left = grown(found, 1) & ~rim
    # No locks that hang in the air: whatever was between them and the head is repainted.
    return joined(left, shrunk(found, _LOCK * unit))


def hands_of(hands: _Points, keypoints: Keypoints, unit: float, shape: tuple[int, ...]) -> Mask:
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


def skinned(hands: Mask, lab: NDArray[np.float32], skin: Palette | None, unit: float) -> Mask:
    """The part of `hands` that has the face's colours; nothing where that is little: hands in pockets are found too."""
    if skin is None or not hands.any():
        return hands
    like = hands & (distance(lab * SKIN_WEIGHTS, skin * SKIN_WEIGHTS) < _SKIN)
    if like.sum() < _HIDDEN * hands.sum():
        return np.zeros_like(hands)
    return grown(closed(shrunk(like, 0.01 * unit), 0.04 * unit), 0.02 * unit) & hands


def held(
    lab: NDArray[np.float32],
    person: Mask,
    hands: Mask,
    cloth: Palette | None,
    skin: Palette | None,
    keypoints: Keypoints,
    unit: float,
) -> Mask:
    """Things joined to a hand whose colours are neither the garment's nor skin nor the background's."""
    nothing = np.zeros(person.shape, bool)
    if cloth is None or not hands.any():
        return nothing
    shown = palette(lab[shrunk(hands, 0.02 * unit)])
    around = grown(hands, _HELD_REACH * unit)
    background = palette(lab[around & ~grown(person, 0.05 * unit)])
    foreign = around & person & (distance(lab, cloth) > _FOREIGN)
    for known in (skin, shown, background):
        if known is not None:
            foreign &= distance(lab, known) > _FOREIGN
    # Trousers below the hips are no bag; they are not repainted anyway.
    hips = keypoints.completed().points[[Joint.R_HIP, Joint.L_HIP], 1].mean()
    foreign[max(0, round(float(hips))) :] = False
    solid = shrunk(foreign, 0.02 * unit)
    return grown(joined(solid, grown(hands, 0.05 * unit)), 0.03 * unit) & person


def _pixel(point: _Points) -> tuple[int, int]:
    x, y = np.clip(np.rint(point), -9e3, 9e3).astype(int)
    return int(x), int(y)

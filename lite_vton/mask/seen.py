"""An agnostic mask made exact by what is seen of the person: silhouette, hands, and the colours of hair and cloth.

Keypoints alone repaint a wide band of background around the body, and spare a face but not the hair that falls over
a shoulder, nor a bag held before the body. A parse map knows better (`lite_vton.mask.parsed`); photos come without.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from lite_vton.category import Category
from lite_vton.mask.kept import SKIN_WEIGHTS, face_of, hair, hands_of, held, skinned
from lite_vton.person.keypoints import Joint, Keypoints, body_unit
from lite_vton.photo.crop import Crop, take_crop
from lite_vton.photo.regions import Mask, Palette, closed, distance, grown, joined, palette, shrunk, without_specks

__all__ = ["SeenMask", "Sight", "seen_mask"]

_Points = NDArray[np.float64]


@dataclass(frozen=True)
class Sight:
    """What was seen of a person in a picture (H, W).

    `silhouette` (H / scale, W / scale) float32 in [0, 1] and `hands` (2, 4, 2) in pixels of the picture, as
    `lite_vton.person.mediapipe.Person` has them. A large picture is looked at on a smaller `scale`.
    """

    silhouette: NDArray[np.float32]
    hands: _Points
    scale: float = 1.0

    def moved(self, crop: Crop, height: int, width: int) -> Sight:
        """The same in `crop` resized to (height, width); nobody is beyond the picture's edge but who is cut by it."""
        shown = take_crop(np.rint(255 * self.silhouette).astype(np.uint8), crop.divided(self.scale), height, width)
        scale = np.array([width / crop.width, height / crop.height])
        hands = (self.hands - np.array([crop.left, crop.top])) * scale
        return Sight(shown.astype(np.float32) / 255, hands)


@dataclass(frozen=True)
class SeenMask:
    """`mask` (H, W) float32 in {0, 1}, 1 = repaint; `spared` (H, W) bool: hands, hair, face and what is held.

    A warped garment that reaches beyond the mask may widen it, but not over what is spared.
    """

    mask: NDArray[np.float32]
    spared: Mask


@dataclass(frozen=True)
class _Worn:
    """Where the old garment is seen and where the one that stays, in torso lengths below the neck, (from, to).

    `garment` nothing else is seen there; `begins` how high its cloth may reach; `other` the same for the garment that
    is kept, which is looked for within `meets`, None where nothing is kept; `collar` whether what is around the neck
    belongs to it.
    """

    garment: tuple[float, float]
    begins: float
    other: tuple[float, float] | None = None
    meets: tuple[float, float] = (0.0, 0.0)
    collar: bool = False


# Short tops end above the hips, and few others below 1.35; a waistband lies between 0.8 and 1.1.
_WORN: Mapping[Category, _Worn] = MappingProxyType(
    {
        "upper": _Worn((0.05, 0.75), -0.3, other=(1.35, 9.0), meets=(0.8, 9.0), collar=True),
        "lower": _Worn((1.3, 1.9), 0.75, other=(0.05, 0.75), meets=(0.0, 1.15)),
        "dress": _Worn((0.05, 0.75), -0.3, collar=True),
    }
)

# In body units, about a shoulder width.
_MARGIN = 0.1  # of background around the silhouette: the new garment may be wider than the old one
_LOOSE = 0.3  # how far beyond the keypoints' mask cloth of the old garment is looked for
_HEM = 0.1  # around cloth of the old garment, where its colour and that of what stays mix
_BESIDE = 0.35  # to both sides of the torso's middle: nothing but the garment is seen there
_NECK_REACH = 0.38  # to both sides of the neck
_CHIN = 0.6  # of the way from the nose to the neck's foot; beards end above it
# CIELAB
_CLOTHED = 14.0  # farther from the face's colours, in hue mostly, than skin is in shadow
_CLEARLY = 8.0  # nearer to one palette than to the other by this much
_OTHER = 14.0  # another piece of clothing


def seen_mask(
    covered: NDArray[np.float32],
    picture: NDArray[np.uint8],
    sight: Sight,
    keypoints: Keypoints,
    category: Category = "upper",
) -> SeenMask:
    """`covered` (H, W) in {0, 1}, the mask from keypoints alone, corrected; picture (H, W, 3) RGB and all else of its
    size.

    Background farther than a margin from the person stays. Cloth of the old garment that hangs out beyond the
    keypoints' mask goes, and so does a collar of whatever colour. Hands, hair, the head, things held before the body
    and the garment that is not replaced stay, where their colours can be told from the old garment's.
    """
    import cv2

    lab = np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    body = keypoints.completed()
    unit = body_unit(body.points.astype(np.float64))
    person, wide = sight.silhouette > 0.5, covered > 0.5
    worn = _WORN[category]
    cloth = palette(lab[person & wide & _band(body, worn.garment, wide.shape, _BESIDE * unit)])
    near = wide & grown(person, _MARGIN * unit)
    if cloth is not None:
        to_cloth = distance(lab, cloth)
        near |= _loose(to_cloth, person, wide & _band(body, (worn.begins, 9.0), wide.shape), unit)
        if worn.other is not None:
            other = person & _band(body, worn.other, wide.shape)
            near &= ~_kept(lab, to_cloth, person & _band(body, worn.meets, wide.shape), other, unit)
    face = face_of(keypoints, unit, covered.shape)
    skin = palette(lab[face & person])
    hands = skinned(hands_of(sight.hands, keypoints, unit, covered.shape) & person, lab, skin, unit)
    falling = hair(lab, person, face, cloth, keypoints, unit)
    if worn.collar:
        near |= _neckwear(lab, person & ~falling, wide, skin, body, unit)
    spared = hands | falling
    spared |= held(lab, person, hands, cloth, skin, keypoints, unit)
    mask = without_specks(near & ~spared, unit) & ~hands
    return SeenMask(mask.astype(np.float32), ~mask & (spared | face))


def _band(body: Keypoints, part: tuple[float, float], shape: tuple[int, ...], beside: float | None = None) -> Mask:
    """Rows from and to so many torso lengths below the neck; up to `beside` pixels from the middle of the torso."""
    points = body.points.astype(np.float64)
    neck, hips = points[Joint.NECK], points[[Joint.R_HIP, Joint.L_HIP]].mean(axis=0)
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    depth = (rows - neck[1]) / max(float(hips[1] - neck[1]), 1.0)
    inside = (depth >= part[0]) & (depth < part[1])
    if beside is not None:
        inside &= np.abs(columns - (neck[0] + depth * (hips[0] - neck[0]))) < beside
    return np.asarray(inside)


def _loose(to_cloth: NDArray[np.float32], person: Mask, wide: Mask, unit: float) -> Mask:
    """Cloth at and beyond the rim of the keypoints' mask, with a margin, down to where that ends.

    The pasted picture fades in over a margin, and what lies under that would shine through.
    """
    rows = np.flatnonzero(wide.any(axis=1))
    beside = person & grown(wide, _LOOSE * unit) & (to_cloth < _OTHER)
    if not len(rows):
        return np.zeros_like(person)
    beside[: rows[0]] = False
    beside[rows[-1] :] = False
    solid = closed(shrunk(beside, 0.01 * unit), 0.03 * unit)
    return grown(joined(solid, wide & person), _MARGIN * unit)


def _neckwear(
    lab: NDArray[np.float32], person: Mask, wide: Mask, skin: Palette | None, body: Keypoints, unit: float
) -> Mask:
    """What is around the neck and no skin, with a margin: collars of whatever colour, scarves; it meets `wide`."""
    if skin is None:
        return np.zeros_like(person)
    points = body.points.astype(np.float64)
    nose, neck = points[Joint.NOSE], points[Joint.NECK]
    length = max(float(np.linalg.norm(neck - nose)), 1.0)
    down = (neck - nose) / length
    rows, columns = np.mgrid[: person.shape[0], : person.shape[1]].astype(np.float64)
    x, y = columns - nose[0], rows - nose[1]
    along, aside = x * down[0] + y * down[1], np.abs(y * down[0] - x * down[1])
    below_chin: Mask = (along > _CHIN * length) & (along < length)
    unlike = distance(lab * SKIN_WEIGHTS, skin * SKIN_WEIGHTS) > _CLOTHED
    found = shrunk(person & below_chin & (aside < _NECK_REACH * unit) & unlike, 0.01 * unit)
    return np.asarray(grown(joined(found, wide), _MARGIN * unit) & below_chin)


def _kept(lab: NDArray[np.float32], to_cloth: NDArray[np.float32], where: Mask, other: Mask, unit: float) -> Mask:
    """What of `where` has the colours of `other`, the garment that stays, and not of the old one.

    Nobody has to invent it, and a longer garment may still lie over it: `SeenMask.spared` leaves it out.
    """
    colours = palette(lab[other])
    if colours is None:
        return np.zeros_like(where)
    to_other = distance(lab, colours)
    like = where & (to_other < _OTHER) & (to_other + _CLEARLY < to_cloth)
    hem = grown(shrunk(where & (to_cloth < to_other), 0.01 * unit), _HEM * unit)
    return joined(closed(shrunk(like, 0.01 * unit), 0.08 * unit) & where, other) & ~hem

"""One variant of one photo: the truth and its garment changed alike, then the way from one to the other made hard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lite_vton.data.labels import Part
from lite_vton.inputs import TryOnInputs
from lite_vton.mask import agnostic_mask
from lite_vton.parsed_mask import parsed_mask
from lite_vton.pose import skeleton_picture
from lite_vton.warp import warp_garment
from training.mix.colours import another_background, another_light, recoloured, without_shading
from training.mix.places import bent, misplaced, partly_hidden, wider_mask
from training.mix.worn import Worn, framed, mirrored

__all__ = ["CHANGES", "PARTLY_HIDDEN", "PLACED_OFF", "WIDER", "Change", "variant"]

_SPARED = (Part.HAIR, Part.FACE, Part.LEFT_LEG, Part.RIGHT_LEG)


@dataclass(frozen=True)
class Change:
    """Something that happens to a share of the variants."""

    what: str
    share: float
    apply: Callable[[Worn, np.random.Generator], Worn]


CHANGES: tuple[Change, ...] = (
    Change("seen in a mirror", 0.5, lambda worn, _: mirrored(worn)),
    Change("other colours", 0.65, recoloured),
    Change("another background", 0.2, another_background),
    Change("another light", 0.4, lambda worn, rng: another_light(worn, rng, also_garment=True)),
    Change("another light than the garment's", 0.35, lambda worn, rng: another_light(worn, rng, also_garment=False)),
    Change("a garment without shading", 0.5, without_shading),
    Change("a garment that is bent", 0.75, bent),
)
"""In this order, after the framing; each drawn by itself."""

PLACED_OFF, PARTLY_HIDDEN, WIDER = 0.75, 0.3, 0.6
"""Shares of the variants whose garment is laid on with joints a little off, is seen in part, has a wider mask."""


def variant(worn: Worn, rng: np.random.Generator, height: int, width: int) -> TryOnInputs:
    """What a network is told about `worn` (at any size) at (height, width), and in `person` what it is to paint.

    `UserError` where the framed picture cuts off what laying a garment on takes.
    """
    seen = framed(worn, rng, height, width)
    for change in CHANGES:
        if rng.random() < change.share:
            seen = change.apply(seen, rng)
    keypoints = misplaced(seen.keypoints, rng) if rng.random() < PLACED_OFF else seen.keypoints
    warped, cover = warp_garment(seen.garment.pixels, seen.garment.mask, keypoints, height, width, seen.category)
    if rng.random() < PARTLY_HIDDEN:
        cover = partly_hidden(cover, rng)
    covered = agnostic_mask(seen.keypoints, height, width, seen.category)
    mask = parsed_mask(covered, seen.parse, seen.keypoints, seen.category)
    if rng.random() < WIDER:
        mask = wider_mask(mask, np.isin(seen.parse, _SPARED), rng)
    return TryOnInputs.compose(seen.picture, mask, warped, cover, skeleton_picture(seen.keypoints, height, width))

"""One variant of one photo: the truth and its garment changed alike, then the way from one to the other made hard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lite_vton.mask.agnostic import agnostic_mask
from lite_vton.mask.parsed import parsed_mask
from lite_vton.person.keypoints import skeleton_picture
from lite_vton.person.parse_labels import Part
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton.warp.garment import warp_garment
from lite_vton_training.mix.backdrops import Backdrops
from lite_vton_training.mix.colours import another_background, another_light, recoloured, without_shading
from lite_vton_training.mix.places import bent, cut_unknown, misplaced, partly_hidden, wider_mask
from lite_vton_training.mix.worn import Worn, framed, mirrored

__all__ = ["AS_WORN", "CHANGES", "COVERED", "PARTLY_HIDDEN", "PLACED_OFF", "WIDER", "Change", "variant"]

_SPARED = (Part.HAIR, Part.FACE, Part.LEFT_LEG, Part.RIGHT_LEG)


@dataclass(frozen=True)
class Change:
    """Something that happens to a share of the variants; `apart` if garment and photo fit each other less after it."""

    what: str
    share: float
    apply: Callable[[Worn, np.random.Generator, Backdrops | None], Worn]
    apart: bool = False


CHANGES: tuple[Change, ...] = (
    Change("seen in a mirror", 0.5, lambda worn, _rng, _: mirrored(worn)),
    Change("other colours", 0.65, lambda worn, rng, _: recoloured(worn, rng)),
    Change("another background", 0.4, another_background),
    Change("another light", 0.4, lambda worn, rng, _: another_light(worn, rng, also_garment=True)),
    Change(
        "another light than the garment's",
        0.3,
        lambda worn, rng, _: another_light(worn, rng, also_garment=False),
        apart=True,
    ),
    Change("a garment without shading", 0.4, lambda worn, rng, _: without_shading(worn, rng), apart=True),
    Change("a garment of which only the picture is known", 0.4, lambda worn, _rng, _: cut_unknown(worn), apart=True),
    Change("a garment that is bent", 0.3, lambda worn, rng, _: bent(worn, rng), apart=True),
)
"""In this order, after the framing; each drawn by itself."""

AS_WORN = 0.6
"""Share of the variants that no change sets apart: the warp is then as good as it gets, and the network has to know it
when it sees it. Where every warp may be off, none is trusted."""

PLACED_OFF, PARTLY_HIDDEN, WIDER, COVERED = 0.3, 0.3, 0.6, 0.4
"""Shares of the variants whose garment is laid on with joints a little off, is seen in part, has a wider mask, and of
which something hides a part that is not painted: a face that is always there is learnt, and the garment with it. The
first two set apart."""


def variant(
    worn: Worn, rng: np.random.Generator, height: int, width: int, backdrops: Backdrops | None = None
) -> TryOnInputs:
    """What a network is told about `worn` (at any size) at (height, width), and in `person` what it is to paint.

    `UserError` where the framed picture cuts off what laying a garment on takes, and for a broken backdrop.
    """
    seen = framed(worn, rng, height, width)
    apart = rng.random() >= AS_WORN
    for change in CHANGES:
        if rng.random() < change.share and (apart or not change.apart):
            seen = change.apply(seen, rng, backdrops)
    keypoints = misplaced(seen.keypoints, rng) if apart and rng.random() < PLACED_OFF else seen.keypoints
    garment = seen.garment
    warped, cover = warp_garment(garment.pixels, garment.mask, keypoints, height, width, seen.category, garment.cut)
    if apart and rng.random() < PARTLY_HIDDEN:
        cover = partly_hidden(cover, rng)
    covered = agnostic_mask(seen.keypoints, height, width, seen.category)
    mask = parsed_mask(covered, seen.parse, seen.keypoints, seen.category)
    if rng.random() < WIDER:
        mask = wider_mask(mask, np.isin(seen.parse, _SPARED), rng)
    if backdrops is not None and rng.random() < COVERED:
        seen = replace(seen, picture=_covered(seen.picture, mask, backdrops.draw(rng, height, width), rng))
    return TryOnInputs.compose(seen.picture, mask, warped, cover, skeleton_picture(seen.keypoints, height, width))


def _covered(
    picture: NDArray[np.uint8], mask: NDArray[np.float32], cover: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """`picture` with one to three rectangles of `cover` over it, outside `mask`."""
    height, width = mask.shape
    over = np.zeros((height, width), bool)
    for _ in range(rng.integers(1, 4)):
        tall, wide = (rng.uniform(0.1, 0.45, 2) * (height, width)).astype(int)
        top, left = rng.integers(height - tall), rng.integers(width - wide)
        over[top : top + tall, left : left + wide] = True
    return np.where((over & (mask < 0.5))[..., None], cover, picture)

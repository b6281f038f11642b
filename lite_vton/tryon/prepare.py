"""From a person's photo, keypoints and a garment to everything the network is told."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lite_vton.category import Category, as_category
from lite_vton.errors import UserError
from lite_vton.garment.cutout import Cutout, on_white
from lite_vton.mask.agnostic import agnostic_mask
from lite_vton.mask.parsed import TAKEN_OFF, parsed_mask
from lite_vton.mask.plain import plain_mask
from lite_vton.mask.seen import Sight, seen_mask
from lite_vton.person.framing import worn_crop
from lite_vton.person.keypoints import Keypoints, skeleton_picture
from lite_vton.photo.crop import Crop, paste_back, take_labels
from lite_vton.photo.files import Photo
from lite_vton.photo.seam import match_seam
from lite_vton.photo.transparency import from_white
from lite_vton.presets.config import MaskKind
from lite_vton.tryon.given import Witnesses, check_person
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton.tryon.known import Known
from lite_vton.warp.garment import warp_garment

__all__ = ["FoundPerson", "Prepared", "into_photo", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """One try-on at the model's size, with the pictures on the way for whoever wants to look.

    `inputs` what the network gets; `crop` where in the photo the result belongs.
    `person_crop`, `warped`, `skeleton` (H, W, 3) uint8 RGB; `warped_mask` (H, W) float32 in [0, 1];
    `mask` (H, W) float32 in {0, 1}, 1 = repaint; `silhouette` (H, W) float32 in [0, 1], None where nobody looked for
    one; `garment` as it was cut out, of `category`.
    """

    inputs: TryOnInputs
    crop: Crop
    person_crop: NDArray[np.uint8]
    warped: NDArray[np.uint8]
    warped_mask: NDArray[np.float32]
    mask: NDArray[np.float32]
    skeleton: NDArray[np.uint8]
    garment: Cutout
    category: Category
    silhouette: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class FoundPerson:
    """Who is dressed: `keypoints` in pixels of the photo, and what was seen of the person and of others there."""

    keypoints: Keypoints
    sight: Sight | None = None
    witnesses: Witnesses | None = None


def prepare(
    person: Photo,
    found: FoundPerson,
    garment: Cutout,
    height: int,
    width: int,
    category: str = "upper",
    *,
    mask: MaskKind = "improved",
    known: Known = Known(),  # frozen
) -> Prepared:
    """One try-on of the person `found` in the photo, at (height, width), the model's size.

    `mask` is the model's kind. Of `known`, `parse` makes an improved mask exact; a plain one cannot do without. Where
    there is none, what was seen in the photo does what it can. `repaint` is taken instead of all of them.
    `UserError` for keypoints without shoulders or hips (for "lower" also knees), an unknown category, an empty garment,
    a parse that is missing, and for keypoints, parse and mask that cannot be of this photo (`lite_vton.tryon.given`).
    """
    keypoints, parse, repaint = found.keypoints, known.parse, known.repaint
    kind = as_category(category)
    check_person(keypoints, person.height, person.width, kind, parse=parse, mask=repaint, witnesses=found.witnesses)
    crop = worn_crop(keypoints, person.height, person.width, category)
    person_crop = person.taken(crop, height, width)
    moved = keypoints.moved(crop, height, width)
    warped, warped_mask = warp_garment(garment.pixels, garment.mask, moved, height, width, category, garment.cut)
    seen = None if found.sight is None else found.sight.moved(crop, height, width)
    if repaint is not None:
        covered = _given(take_labels(repaint, crop, height, width))
    else:
        labels = None if parse is None else take_labels(parse, crop, height, width)
        covered = _repainted(moved, labels, height, width, category, mask)
        if seen is not None and labels is None:
            old = seen_mask(covered, person_crop, seen, moved, kind)
            # The new garment may be wider than whatever the person wears.
            wider = (covered > 0) & (warped_mask > 0.5) & ~old.spared
            covered = np.maximum(old.mask, wider.astype(np.float32))
    skeleton = skeleton_picture(moved, height, width)
    inputs = TryOnInputs.compose(person_crop, covered, warped, warped_mask, skeleton, on_white(garment))
    silhouette = None if seen is None else seen.silhouette
    return Prepared(inputs, crop, person_crop, warped, warped_mask, covered, skeleton, garment, kind, silhouette)


def _given(repaint: NDArray[np.uint8]) -> NDArray[np.float32]:
    if not (repaint > 127).any():
        raise UserError("the mask repaints nothing of the person: paint what is to be repainted white")
    return (repaint > 127).astype(np.float32)


def _repainted(
    keypoints: Keypoints, labels: NDArray[np.uint8] | None, height: int, width: int, category: str, mask: MaskKind
) -> NDArray[np.float32]:
    if mask == "plain":
        if labels is None:
            raise UserError("this model repaints the old garment alone: show it where that is with a parse (--parse)")
        taken = TAKEN_OFF[as_category(category)]
        return plain_mask(np.isin(labels, taken.parts), "the parse", taken.name)
    covered = agnostic_mask(keypoints, height, width, category)
    return covered if labels is None else parsed_mask(covered, labels, keypoints, category)


def into_photo(photo: Photo, prepared: Prepared, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The photo with the result in its place, colours matched at the seam and blended over a feather.

    `picture` (h, w, 3) is the finished crop in sRGB. The answer is in the photo's own colours, to be saved with its
    `icc_profile`: (H, W, 3), or (H, W, 4) with the photo's own alpha if it is transparent somewhere. Every pixel
    outside the mask is the photo's own, bit for bit.
    """

    def as_own(painted: NDArray[np.uint8], rows: slice, columns: slice) -> NDArray[np.uint8]:
        own = painted if photo.space is None else photo.space.from_srgb(painted)
        return own if photo.alpha is None else from_white(own, photo.alpha[rows, columns], photo.own[rows, columns])

    matched = match_seam(picture, prepared.person_crop, prepared.mask, prepared.warped_mask)
    pasted = paste_back(photo.own, prepared.crop, matched, prepared.mask, as_own)
    return pasted if photo.alpha is None else np.dstack([pasted, photo.alpha])

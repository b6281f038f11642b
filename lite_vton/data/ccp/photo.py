"""One photo of Clothing Co-Parsing as a pair in VITON-HD's layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lite_vton.data.ccp.garment import as_one_garment
from lite_vton.data.ccp.labels import Kind
from lite_vton.data.ccp.parse import lip_parse
from lite_vton.data.ccp.reading import Source, read_photo_and_labels
from lite_vton.data.ccp.reasons import Reason
from lite_vton.data.conversion.outcome import DroppedError, Outcome
from lite_vton.data.conversion.pair_files import ShopPicture, place_pair, shop_picture
from lite_vton.data.pair import Pair
from lite_vton.errors import UserError
from lite_vton.garment.cutout import cut_out
from lite_vton.mask.agnostic import agnostic_mask
from lite_vton.mask.parsed import parsed_mask
from lite_vton.person.framing import worn_crop
from lite_vton.person.keypoints import Keypoints
from lite_vton.person.mediapipe import Person, check_usable, choose_person, find_people
from lite_vton.person.parse_labels import GARMENT, Part
from lite_vton.photo.crop import take_crop, take_labels
from lite_vton.photo.files import Photo
from lite_vton.tryon.given import Witnesses, check_person
from lite_vton.warp.garment import warp_garment
from lite_vton.worn.flat_lay import laid_flat

__all__ = ["PhotoConversion"]

_LEAST_GARMENT = 0.004  # of the photo
_SAME_PERSON = 0.35  # intersection over union of what the parse marks and who is seen
_FITS = 0.65  # the same, of the garment in the parse and warped back
_HIDDEN = 0.5  # of the garment, more would be made up than seen
_SKIN = (Part.FACE, Part.TORSO_SKIN, Part.LEFT_ARM, Part.RIGHT_ARM, Part.LEFT_LEG, Part.RIGHT_LEG)
_IN_FRONT = (Part.HAIR, Part.FACE)  # a sleeve over a bare arm is a fault


@dataclass(frozen=True)
class PhotoConversion:
    """Converts photos of `source` into `folder`, pictures of (`height`, `width`).

    `meanings` (n,) of its labels, see `meanings_of`. A photo's number goes to the test split where it leaves
    `test_offset` when divided by `test_every`, and is left out where `left_out` has it.
    """

    source: Source
    meanings: NDArray[np.uint8]
    folder: Path
    height: int
    width: int
    test_every: int
    test_offset: int
    left_out: frozenset[int]

    def __call__(self, name: str) -> Outcome:
        """What became of photo `name`; its files are written whole, or not where it is dropped."""
        try:
            return self._converted(name)
        except DroppedError as dropped:
            detail = str(dropped) if str(dropped) != dropped.reason else ""
            return Outcome(name=name, reason=dropped.reason, detail=detail)

    def _converted(self, name: str) -> Outcome:
        if int(name) in self.left_out:
            raise DroppedError(Reason.LEFT_OUT)
        photo, labels = read_photo_and_labels(self.source, name)
        codes = self.meanings[labels]
        if float(np.isin(codes, GARMENT).mean()) < _LEAST_GARMENT:
            raise DroppedError(Reason.NO_GARMENT)
        person = _person_of(codes, photo)
        pair, shop, measures = self._pair(photo, codes, person)
        split = "test" if int(name) % self.test_every == self.test_offset else "train"
        done = Outcome(name=name, split=split, category=pair.category, measures=measures)
        place_pair(self.folder / split, done.picture, pair, shop.holes, shop.cut)
        return done

    def _pair(
        self, photo: Photo, codes: NDArray[np.uint8], person: Person
    ) -> tuple[Pair, ShopPicture, dict[str, float]]:
        """The pair, its garment as the shop would show it, and how well it came out."""
        size = (self.height, self.width)
        parse, category = as_one_garment(lip_parse(codes, person.keypoints), person.keypoints)
        try:
            crop = worn_crop(person.keypoints, photo.height, photo.width, category)
        except UserError as error:
            raise DroppedError(Reason.NO_TORSO, str(error)) from error
        worn, labels = (take_labels(part, crop, *size) for part in (parse, codes))
        if not np.isin(worn, GARMENT).any():
            raise DroppedError(Reason.NO_GARMENT)
        moved = person.keypoints.moved(crop, *size)
        mask = parsed_mask(agnostic_mask(moved, *size, category), worn, moved, category)
        # What is in front of the garment hides it, and nothing is put back beyond the mask.
        free = (mask > 0.5) & ~(np.isin(worn, _IN_FRONT) | (labels == Kind.OVER))
        try:
            # Which arm tells how long the sleeves are shows when they are put back.
            tries = [
                _laid_flat(
                    photo, codes != Part.BACKGROUND, parse, person.keypoints, category, *size, bare_arm_tells=bare
                )
                for bare in (False, True)
            ]
            fits = [_fit(shop, moved, worn, free, category) for shop in tries]
        except UserError as error:
            raise DroppedError(Reason.NOT_LAID_FLAT, str(error)) from error
        fit, shop = max(fits), tries[int(np.argmax(fits))]
        hidden = float((shop.holes > 0).sum()) / max(float((shop.mask > 0).sum()), 1.0)
        if hidden > _HIDDEN:
            raise DroppedError(Reason.HIDDEN, f"{hidden:.0%} of it, {_HIDDEN:.0%} is too much")
        if fit < _FITS:
            raise DroppedError(Reason.DOES_NOT_FIT, f"intersection over union is {fit:.2f}, {_FITS} is needed")
        try:
            check_person(
                moved, *size, mask=np.where(mask > 0.5, np.uint8(255), np.uint8(0)), witnesses=Witnesses((moved,))
            )
        except UserError as error:
            raise DroppedError(Reason.NOT_REPAINTED, str(error)) from error
        pair = Pair(take_crop(photo.pixels, crop, *size), worn, moved, shop.cloth, shop.mask, category)
        return pair, shop, {"iou": round(fit, 4), "hidden": round(hidden, 4)}


def _person_of(codes: NDArray[np.uint8], photo: Photo) -> Person:
    """Whoever the parse is of."""
    marked = codes != Part.BACKGROUND
    people = find_people(photo.pixels)
    if not people:
        raise DroppedError(Reason.NOBODY)
    shares = [_overlap(person.silhouette > 0.5, marked) for person in people]
    best = int(np.argmax(shares))
    if shares[best] < _SAME_PERSON:
        raise DroppedError(Reason.SOMEBODY_ELSE, f"{len(people)} found, {shares[best]:.0%} shared at most")
    person = choose_person(people, best)
    try:
        check_usable(person.keypoints, photo.height, photo.width)
    except UserError as error:
        raise DroppedError(Reason.NO_TORSO, str(error)) from error
    return person


def _laid_flat(
    photo: Photo,
    person: NDArray[np.bool_],
    parse: NDArray[np.uint8],
    keypoints: Keypoints,
    category: str,
    height: int,
    width: int,
    bare_arm_tells: bool,
) -> ShopPicture:
    garment, skin = (np.isin(parse, parts).astype(np.float32) for parts in (GARMENT, _SKIN))
    flat = laid_flat(photo.pixels, keypoints, person.astype(np.float32), category, garment, skin, bare_arm_tells)
    return shop_picture(flat.cutout, flat.hidden, height, width)


def _fit(
    shop: ShopPicture, keypoints: Keypoints, worn: NDArray[np.uint8], free: NDArray[np.bool_], category: str
) -> float:
    """Intersection over union of the garment put back and in the parse `worn` (H, W), where `free` (H, W) is true."""
    height, width = worn.shape
    cutout = cut_out(Photo(shop.cloth), shop.mask, shop.cut)
    _, cover = warp_garment(cutout.pixels, cutout.mask, keypoints, height, width, category, cutout.cut)
    return _overlap((cover > 0.5) & free, np.isin(worn, GARMENT) & free)


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum()) / max(float((one | other).sum()), 1.0)

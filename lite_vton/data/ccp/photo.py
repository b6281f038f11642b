"""One photo of Clothing Co-Parsing as a pair in VITON-HD's layout.

The garment is everything worn above the waist taken together, or the dress with whatever is worn over it: a coat that
hangs open shows the shirt below it, and stays so when it is laid flat. The mask repaints the same union, so picture and
mask agree whether a coat is open or closed. Which of the two it is, the larger of dress and upper clothes tells; a coat
belongs to either.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lite_vton.crop import dress_crop, take_crop, take_labels, torso_crop
from lite_vton.data.ccp.labels import OVER, Meanings
from lite_vton.data.ccp.parse import lip_parse
from lite_vton.data.ccp.reading import Source, read_photo_and_labels
from lite_vton.data.ccp.reasons import Reason
from lite_vton.data.conversion_files import place_pair, shop_picture
from lite_vton.data.conversion_outcome import DroppedError, Outcome
from lite_vton.data.labels import GARMENT, Part
from lite_vton.data.pair import Pair
from lite_vton.data.sample import check_torso
from lite_vton.errors import UserError
from lite_vton.garment import Cutout, cut_out
from lite_vton.mask import Category, agnostic_mask
from lite_vton.parsed_mask import parsed_mask
from lite_vton.people import Person, check_usable, choose_person, find_people
from lite_vton.photo import Photo
from lite_vton.pose import Keypoints
from lite_vton.warp import warp_garment
from lite_vton.worn import laid_flat

__all__ = ["PhotoConversion"]

_LEAST_GARMENT = 0.004  # of the photo
_SAME_PERSON = 0.35  # intersection over union of what the parse marks and who is seen
_FITS = 0.6  # the same, of the garment in the parse and warped back
_SKIN = (Part.FACE, Part.TORSO_SKIN, Part.LEFT_ARM, Part.RIGHT_ARM, Part.LEFT_LEG, Part.RIGHT_LEG)
_IN_FRONT = (Part.HAIR, Part.FACE, Part.LEFT_ARM, Part.RIGHT_ARM)


@dataclass(frozen=True)
class PhotoConversion:
    """Converts photos of `source` into `folder`, pictures of (`height`, `width`).

    A photo with number n goes to the test split where n leaves `test_offset` when divided by `test_every`, and is left
    out where `left_out` has n.
    """

    source: Source
    meanings: Meanings
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
        codes = self.meanings.of(labels)
        if float(np.isin(codes, GARMENT).mean()) < _LEAST_GARMENT:
            raise DroppedError(Reason.NO_GARMENT)
        person = _person_of(codes, photo)
        pair, holes, measures = self._pair(photo, codes, person)
        split = "test" if int(name) % self.test_every == self.test_offset else "train"
        done = Outcome(name=name, split=split, category=pair.category, measures=measures)
        place_pair(self.folder / split, done.picture, pair, holes)
        return done

    def _pair(
        self, photo: Photo, codes: NDArray[np.uint8], person: Person
    ) -> tuple[Pair, NDArray[np.uint8], dict[str, float]]:
        size = (self.height, self.width)
        parse = lip_parse(codes, person.keypoints)
        try:
            torso = torso_crop(person.keypoints, photo.height, photo.width)
            category = _category(take_labels(parse, torso, *size))
            parse = _as_category(parse, category)
            crop = torso if category == "upper" else dress_crop(person.keypoints, photo.height, photo.width)
        except UserError as error:
            raise DroppedError(Reason.NO_TORSO, str(error)) from error
        worn = take_labels(parse, crop, *size)
        over = take_labels(np.where(codes == OVER, np.uint8(1), np.uint8(0)), crop, *size) > 0
        if not np.isin(worn, GARMENT).any():
            raise DroppedError(Reason.NO_GARMENT)
        moved = person.keypoints.moved(crop, *size)
        try:
            flat = laid_flat(
                photo.pixels,
                person.keypoints,
                (codes != Part.BACKGROUND).astype(np.float32),
                category,
                np.isin(parse, GARMENT).astype(np.float32),
                np.isin(parse, _SKIN).astype(np.float32),
            )
            shop = shop_picture(flat.cutout, flat.hidden, *size)
            cutout = cut_out(Photo(shop.cloth), shop.mask)
            fit = _fit(cutout, moved, worn, over, category)
        except UserError as error:
            raise DroppedError(Reason.NOT_LAID_FLAT, str(error)) from error
        if fit < _FITS:
            raise DroppedError(Reason.DOES_NOT_FIT, f"intersection over union is {fit:.2f}, {_FITS} is needed")
        covered = parsed_mask(agnostic_mask(moved, *size, category), worn, moved, category)
        try:
            check_torso(Path("the mask"), covered, moved)
        except UserError as error:
            raise DroppedError(Reason.NOT_REPAINTED, str(error)) from error
        hidden = float((shop.holes > 0).sum()) / max(float((shop.mask > 0).sum()), 1.0)
        pair = Pair(take_crop(photo.pixels, crop, *size), worn, moved, shop.cloth, shop.mask, category)
        return pair, shop.holes, {"iou": round(fit, 4), "hidden": round(hidden, 4)}


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


def _category(parse: NDArray[np.uint8]) -> Category:
    count = np.bincount(parse.ravel(), minlength=256)
    return "dress" if count[Part.DRESS] > count[Part.UPPER_CLOTHES] else "upper"


def _as_category(parse: NDArray[np.uint8], category: Category) -> NDArray[np.uint8]:
    """With one label for the union, from which readers tell the category."""
    kept, other = (Part.DRESS, Part.UPPER_CLOTHES) if category == "dress" else (Part.UPPER_CLOTHES, Part.DRESS)
    return np.where(parse == other, np.uint8(kept), parse)


def _fit(
    cutout: Cutout, keypoints: Keypoints, worn: NDArray[np.uint8], over: NDArray[np.bool_], category: str
) -> float:
    """Intersection over union of the garment warped back and in the parse, wherever nothing is in front of it."""
    height, width = worn.shape
    _, cover = warp_garment(cutout.pixels, cutout.mask, keypoints, height, width, category)
    free = ~(np.isin(worn, _IN_FRONT) | over)
    return _overlap((cover > 0.5) & free, np.isin(worn, GARMENT) & free)


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum()) / max(float((one | other).sum()), 1.0)

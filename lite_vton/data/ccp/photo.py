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

from lite_vton.crop import take_crop, take_labels, worn_crop
from lite_vton.data.ccp.labels import OVER, Meanings
from lite_vton.data.ccp.parse import lip_parse
from lite_vton.data.ccp.reading import Source, read_photo_and_labels
from lite_vton.data.ccp.reasons import Reason
from lite_vton.data.conversion_files import place_pair, shop_picture
from lite_vton.data.conversion_outcome import DroppedError, Outcome
from lite_vton.data.labels import BOTTOM, GARMENT, Part
from lite_vton.data.pair import Pair
from lite_vton.data.sample import check_torso
from lite_vton.errors import UserError
from lite_vton.garment import Cutout, cut_out
from lite_vton.mask import Category, agnostic_mask
from lite_vton.parsed_mask import parsed_mask
from lite_vton.people import Person, check_usable, choose_person, find_people
from lite_vton.photo import Photo
from lite_vton.pose import Joint, Keypoints
from lite_vton.warp import warp_garment
from lite_vton.worn import laid_flat

__all__ = ["PhotoConversion"]

_LEAST_GARMENT = 0.004  # of the photo
_SAME_PERSON = 0.35  # intersection over union of what the parse marks and who is seen
_FITS = 0.65  # the same, of the garment in the parse and warped back
_HIPS = 0.95  # torso lengths from the neck point
_LONG = 1.36  # the same, where a garment ends that is laid flat as a dress is
_THIGHS, _CLOSED = (1.05, 1.4), 0.75  # the same, and how much of what is seen there is then the garment
_HIDDEN = 0.5  # of the garment, more would be made up than seen
_SKIN = (Part.FACE, Part.TORSO_SKIN, Part.LEFT_ARM, Part.RIGHT_ARM, Part.LEFT_LEG, Part.RIGHT_LEG)
_BELOW = (*BOTTOM, Part.LEFT_LEG, Part.RIGHT_LEG)
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
        parse, category = _as_worn(lip_parse(codes, person.keypoints), person.keypoints)
        try:
            crop = worn_crop(person.keypoints, photo.height, photo.width, category)
        except UserError as error:
            raise DroppedError(Reason.NO_TORSO, str(error)) from error
        worn = take_labels(parse, crop, *size)
        over = take_labels(np.where(codes == OVER, np.uint8(1), np.uint8(0)), crop, *size) > 0
        if not np.isin(worn, GARMENT).any():
            raise DroppedError(Reason.NO_GARMENT)
        moved = person.keypoints.moved(crop, *size)
        covered = parsed_mask(agnostic_mask(moved, *size, category), worn, moved, category)
        # What is in front of the garment hides it, and nothing is put back beyond the mask.
        free = (covered > 0.5) & ~(np.isin(worn, _IN_FRONT) | over)
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
            fit = _fit(cutout, moved, worn, free, category)
        except UserError as error:
            raise DroppedError(Reason.NOT_LAID_FLAT, str(error)) from error
        hidden = float((shop.holes > 0).sum()) / max(float((shop.mask > 0).sum()), 1.0)
        if hidden > _HIDDEN:
            raise DroppedError(Reason.HIDDEN, f"{hidden:.0%} of it, {_HIDDEN:.0%} is too much")
        if fit < _FITS:
            raise DroppedError(Reason.DOES_NOT_FIT, f"intersection over union is {fit:.2f}, {_FITS} is needed")
        try:
            check_torso(Path("the mask"), covered, moved)
        except UserError as error:
            raise DroppedError(Reason.NOT_REPAINTED, str(error)) from error
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


def _as_worn(parse: NDArray[np.uint8], keypoints: Keypoints) -> tuple[NDArray[np.uint8], Category]:
    """The parse with one label for the union, from which readers tell the category, and that category.

    A dress that shows only below what is worn over it is a skirt. What covers the thighs, a closed coat too, is laid
    flat and repainted as a dress is.
    """
    down = _torso_lengths(parse.shape, keypoints)
    above = parse[down < _HIPS]
    dress = int((above == Part.DRESS).sum()) > int((above == Part.UPPER_CLOTHES).sum())
    if not dress:
        parse = np.where((parse == Part.DRESS) & (down >= _HIPS), np.uint8(Part.SKIRT), parse)
    garment = np.isin(parse, GARMENT)
    if dress or _covers_thighs(garment, np.isin(parse, _BELOW), down):
        return np.where(garment, np.uint8(Part.DRESS), parse), "dress"
    return np.where(parse == Part.DRESS, np.uint8(Part.UPPER_CLOTHES), parse), "upper"


def _covers_thighs(garment: NDArray[np.bool_], below: NDArray[np.bool_], down: NDArray[np.float64]) -> bool:
    if not garment.any() or float(np.quantile(down[garment], 0.97)) < _LONG:
        return False
    thighs = (down > _THIGHS[0]) & (down < _THIGHS[1])
    return float((garment & thighs).sum()) > _CLOSED * float(((garment | below) & thighs).sum())


def _torso_lengths(shape: tuple[int, ...], keypoints: Keypoints) -> NDArray[np.float64]:
    """(H, W) how far down each pixel is, 0 at the neck point and 1 at the hips."""
    points = keypoints.completed().points.astype(np.float64)
    neck, hips = points[Joint.NECK], points[[Joint.R_HIP, Joint.L_HIP]].mean(axis=0)
    way = hips - neck
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    return np.asarray(((x - neck[0]) * way[0] + (y - neck[1]) * way[1]) / max(float(way @ way), 1.0))


def _fit(
    cutout: Cutout, keypoints: Keypoints, worn: NDArray[np.uint8], free: NDArray[np.bool_], category: str
) -> float:
    """Intersection over union of the garment put back and in the parse `worn` (H, W), where `free` (H, W) is true."""
    height, width = worn.shape
    _, cover = warp_garment(cutout.pixels, cutout.mask, keypoints, height, width, category)
    return _overlap((cover > 0.5) & free, np.isin(worn, GARMENT) & free)


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum()) / max(float((one | other).sum()), 1.0)

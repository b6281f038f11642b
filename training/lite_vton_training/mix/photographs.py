"""All variants of a dataset's photos as pictures in memory, made by several processes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lite_vton.data.layout import part_file
from lite_vton.data.processes import spawned
from lite_vton.data.viton_hd import VitonHD
from lite_vton.errors import UserError
from lite_vton.person.keypoints import read_keypoints
from lite_vton.person.parse import read_parse
from lite_vton.photo.files import load_photo
from lite_vton.tryon.given import Names, check_person
from lite_vton.tryon.inputs import TryOnInputs, to_picture
from lite_vton_training.dataset.pictures import PicturePairs
from lite_vton_training.mix.backdrops import Backdrops
from lite_vton_training.mix.mended import mended
from lite_vton_training.mix.variant import variant
from lite_vton_training.mix.worn import Worn

__all__ = ["mended_pictures", "read_worn", "varied_pictures"]

_Row = tuple[NDArray[np.uint8], ...]


def varied_pictures(
    photographs: VitonHD,
    variants: int,
    seed: int,
    backdrops: Backdrops | None = None,
    *,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> PicturePairs:
    """`variants` of every photo of `photographs`, at its size: first one of each photo, then another of each.

    Variant v of photo i depends on `seed`, i and v alone. One that cannot be made, because the framing cut off too
    much, is left out. `progress` is told how many variants are done.
    `UserError` for a photo whose files are missing or broken, and where nothing is left.
    """
    count, height, width = len(photographs), photographs.height, photographs.width
    shapes = ((height, width, 3),) * 3 + ((height, width),)
    columns = [np.empty((count * variants, *shape), np.uint8) for shape in shapes]
    made = np.zeros(count * variants, bool)
    work = partial(_variants, photographs, variants, seed, backdrops)
    for done, (index, rows) in enumerate(spawned(work, range(count), workers), start=1):
        for v, row in enumerate(rows):
            if row is not None:
                place = v * count + index
                made[place] = True
                for column, picture in zip(columns, row, strict=True):
                    column[place] = picture
        if progress is not None:
            progress(done * variants)
    if not made.any():
        raise UserError(f"none of the {count} photos of {photographs.root} gave a training pair: convert them again")
    return PicturePairs(*(column if made.all() else column[made] for column in columns))


def read_worn(photographs: VitonHD, index: int) -> Worn:
    """Photo `index` of the dataset, at the size it has on disk. `UserError` for files that are missing or broken."""
    name, folder = photographs.pairs[index].person, photographs.root / photographs.split
    garment = photographs.garment(index)
    person, parse_file, points = (part_file(folder, kind, name) for kind in ("person", "parse", "keypoints"))
    picture, parse, keypoints = load_photo(person).pixels, read_parse(parse_file), read_keypoints(points)
    height, width = picture.shape[:2]
    check_person(keypoints, height, width, parse=parse, names=Names(str(points), parse=str(parse_file)))
    return Worn(
        picture=picture,
        parse=parse,
        keypoints=keypoints,
        garment=garment.cutout,
        category=garment.category,
    )


def mended_pictures(backdrops: Backdrops, variants: int, seed: int, height: int, width: int) -> PicturePairs:
    """`variants` pairs of each backdrop (`lite_vton_training.mix.mended`) at (height, width). `UserError` for a broken
    one.
    """
    made = []
    for v in range(variants):
        for index in range(len(backdrops.files)):
            rng = _generator((seed, index, v))
            picture = backdrops.picture(index, height, width)
            made.append(_columns(mended(np.ascontiguousarray(picture[:, ::-1]) if v % 2 else picture, rng)))
    return PicturePairs(*(np.stack(column) for column in zip(*made, strict=True)))


def _variants(
    photographs: VitonHD, variants: int, seed: int, backdrops: Backdrops | None, index: int
) -> tuple[int, list[_Row | None]]:
    worn = read_worn(photographs, index)
    return index, [_row(worn, photographs, backdrops, (seed, index, v)) for v in range(variants)]


def _row(worn: Worn, photographs: VitonHD, backdrops: Backdrops | None, key: tuple[int, int, int]) -> _Row | None:
    try:
        return _columns(variant(worn, _generator(key), photographs.height, photographs.width, backdrops))
    except UserError:
        return None


def _columns(made: TryOnInputs) -> _Row:
    pictures = (to_picture(tensor) for tensor in (made.person, made.masked_person, made.pose))
    return (*pictures, made.mask[0, 0].astype(np.uint8))


def _generator(key: tuple[int, int, int]) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))

"""Every person of a folder in every garment of another: pictures, refusals, a sheet of all."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray

from lite_vton.atomic import write_text
from lite_vton.category import Category, as_category
from lite_vton.errors import UserError
from lite_vton.photo.contact_sheet import Column, contact_sheet
from lite_vton.photo.crop import Crop, paste_mask, photo_part
from lite_vton.workflows.backends import usable_precision
from lite_vton.workflows.dress.run import How, refuse_existing
from lite_vton.workflows.dress.sampling import check_sampling
from lite_vton.workflows.progress import progress_bar

if TYPE_CHECKING:
    from lite_vton.photo.crop import Crop
    from lite_vton.photo.files import Photo
    from lite_vton_runtimes.session import TryOn

__all__ = ["Refusal", "Tried", "dress_all"]

_LINE = 26  # letters of a refusal on a tile

_Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Refusal:
    """A pair that gives no picture, and why."""

    person: str
    garment: str
    reason: str


@dataclass(frozen=True)
class Tried:
    """What came of all pairs.

    Preparing a pair's photos took `preparing_s` at the median and `slowest_s` at most; `damaged` counts pictures in
    which a pixel outside the mask is not the photo's own.
    """

    written: tuple[Path, ...]
    pictures: int
    refusals: tuple[Refusal, ...]
    preparing_s: float
    slowest_s: float
    damaged: int


def dress_all(
    path: Path,
    persons: Path,
    garments: Path,
    output: Path,
    how: How,
    *,
    category: str | None = None,
    overwrite: bool = False,
) -> Tried:
    """Dress them all and write a sheet at `output`, persons down and garments across, and a report as JSON beside it.

    Without `category` a garment whose file's name begins with the name of one is taken for it, any other for an upper
    one. `UserError` for folders without photos, or where no sheet can be written.
    """
    from lite_vton.bundle import Bundle
    from lite_vton.photo.encoding import written_format
    from lite_vton.photo.files import save_photo
    from lite_vton.photo.reading import photos_in
    from lite_vton_runtimes.session import TryOn

    written_format(output)
    report = output.with_suffix(".json")
    for target in (output, report):
        refuse_existing(target, overwrite)
    if category is not None:
        as_category(category)
    bundle = Bundle.open(path)
    check_sampling(bundle.manifest.model.schedule, how.sampler, how.steps)
    precision = usable_precision(bundle, how.backend, how.precision)
    people, clothes = photos_in(persons, output), photos_in(garments, output)
    tiles: dict[tuple[Path, Path], _Tile | Refusal] = {}
    with (
        TryOn(bundle, how.backend, precision) as model,
        progress_bar("dressing", len(people) * len(clothes)) as update,
    ):
        for pair in [(person, garment) for person in people for garment in clothes]:
            update(len(tiles), " in ".join(file.stem for file in pair))
            try:
                tiles[pair] = _dressed(model, *pair, category or _category_of(pair[1]), how)
            except UserError as error:
                tiles[pair] = Refusal(pair[0].name, pair[1].name, str(error))
    config = bundle.manifest.model
    blank = np.full((config.height, config.width, 3), 255, np.uint8)
    columns = [Column("person", [_person(tiles, person, clothes, blank) for person in people])]
    columns += [Column(g.stem, [_shown(tiles[person, g], blank) for person in people]) for g in clothes]
    save_photo(output, contact_sheet(columns))
    tried = _summed(list(tiles.values()), (output, report))
    content = asdict(tried) | {"written": [file.name for file in tried.written]}
    write_text(report, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return tried


@dataclass(frozen=True)
class _Tile:
    """Person and result at the model's size, the seconds it took to prepare the photos, and whether all is well."""

    person: _Picture
    picture: _Picture
    preparing_s: float
    damaged: bool


def _dressed(model: TryOn, person: Path, garment: Path, category: str, how: How) -> _Tile:
    from lite_vton.photo.files import Photo, load_photo
    from lite_vton.tryon.photos import prepare_photos
    from lite_vton.tryon.prepare import into_photo

    config = model.bundle.manifest.model
    began = perf_counter()
    photo = load_photo(person)
    prepared = prepare_photos(
        photo, load_photo(garment), config.height, config.width, category=category, mask=config.mask
    )
    preparing_s = perf_counter() - began
    result = model(prepared.inputs, steps=how.steps, sampler=how.sampler, seed=how.seed, detail=how.detail)
    pasted = into_photo(photo, prepared, result.picture)
    outside = paste_mask(prepared.mask, prepared.crop, photo.height, photo.width) == 0
    damaged = bool(np.any(pasted[outside, :3] != photo.own[outside]))
    dressed = Photo(pasted[..., :3], photo.icc_profile, photo.alpha)
    before, after = (_shown_part(each, prepared.crop, config.height, config.width) for each in (photo, dressed))
    return _Tile(before, after, preparing_s, damaged)


def _shown_part(photo: Photo, crop: Crop, height: int, width: int) -> _Picture:
    """What the photo shows of a crop, at its place on a white tile (height, width, 3).

    Networks are given the photo's edge repeated where a crop leaves it; people see nothing there.
    """
    rows, columns = photo_part(crop, photo.height, photo.width)
    inside = Crop(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
    scale = height / crop.height, width / crop.width
    size = [max(1, round(side * by)) for side, by in zip((inside.height, inside.width), scale, strict=True)]
    top, left = max(0, round((inside.top - crop.top) * scale[0])), max(0, round((inside.left - crop.left) * scale[1]))
    size = [min(size[0], height - top), min(size[1], width - left)]
    tile = np.full((height, width, 3), 255, np.uint8)
    tile[top : top + size[0], left : left + size[1]] = photo.taken(inside, size[0], size[1])
    return tile


def _category_of(garment: Path) -> str:
    return next((name for name in get_args(Category) if garment.stem.lower().startswith(name)), "upper")


def _person(
    tiles: dict[tuple[Path, Path], _Tile | Refusal], person: Path, clothes: list[Path], blank: _Picture
) -> _Picture:
    found = (tile.person for garment in clothes if isinstance(tile := tiles[person, garment], _Tile))
    return next(found, blank)


def _shown(tile: _Tile | Refusal, blank: _Picture) -> _Picture:
    if isinstance(tile, _Tile):
        return tile.picture
    from PIL import Image, ImageDraw, ImageFont

    page = Image.fromarray(blank)
    ImageDraw.Draw(page).text((6, 8), textwrap.fill(tile.reason, _LINE), fill="black", font=ImageFont.load_default(12))
    return np.array(page)


def _summed(tiles: list[_Tile | Refusal], written: tuple[Path, ...]) -> Tried:
    made = [tile for tile in tiles if isinstance(tile, _Tile)]
    seconds = [tile.preparing_s for tile in made]
    return Tried(
        written,
        len(made),
        tuple(tile for tile in tiles if isinstance(tile, Refusal)),
        median(seconds) if seconds else 0.0,
        max(seconds, default=0.0),
        sum(tile.damaged for tile in made),
    )

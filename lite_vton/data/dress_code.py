"""Reading DressCode (Morelli et al. 2022): its published folder, upper bodies and dresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from lite_vton.category import Category
from lite_vton.data.layout import SPLITS, is_there, picture_names
from lite_vton.data.pair_list import Pair, read_pairs
from lite_vton.data.sample import Garment, PairFolder, Split, Truth, check_same_size, check_shape, resized
from lite_vton.errors import UserError
from lite_vton.files.text import read_given_bytes, text_of
from lite_vton.garment.cutout import cut_out
from lite_vton.mask.agnostic import agnostic_mask
from lite_vton.mask.plain import plain_mask
from lite_vton.messages.choices import suggestion
from lite_vton.person.keypoints import Keypoints
from lite_vton.person.parse import read_parse
from lite_vton.person.parse_labels import Part
from lite_vton.photo.crop import Crop, take_labels
from lite_vton.photo.files import Photo, load_mask, load_photo
from lite_vton.presets.config import MaskKind
from lite_vton.tryon.given import Names, check_person

__all__ = ["CATEGORIES", "DressCode"]

CATEGORIES: Mapping[str, Category | None] = MappingProxyType(
    {"upper_body": "upper", "dresses": "dress", "lower_body": None}
)
"""DressCode's folders and the garment category each is read as; None where this reader gives no samples yet."""

_LISTS = MappingProxyType(
    {
        ("train", True): ("train_pairs.txt", "train_pairs_paired.txt"),
        ("test", True): ("test_pairs_paired.txt",),
        ("test", False): ("test_pairs_unpaired.txt",),
    }
)
_CLOTH_MASKS = ("cloth_mask", "cloth-mask", "cloth_masks", "masks")  # not published; what people add is named so
_LABELS = np.array(
    [
        Part.BACKGROUND, 1, Part.HAIR, 4, Part.UPPER_CLOTHES, Part.SKIRT, Part.TROUSERS, Part.DRESS, Part.TROUSERS,
        Part.LEFT_SHOE, Part.RIGHT_SHOE, Part.FACE, Part.LEFT_LEG, Part.RIGHT_LEG, Part.LEFT_ARM, Part.RIGHT_ARM,
        Part.BACKGROUND, 11,
    ],
    np.uint8,
)  # fmt: skip
"""LIP's labels for those of its `label_maps/`, 0 to 17: hat, sunglasses and scarf are LIP's 1, 4 and 11; a belt is
trousers, a bag nothing worn."""
_GARMENT = (Part.UPPER_CLOTHES, Part.DRESS)
_POSE_SIZE = (512, 384)  # height and width of the pictures its keypoints were found in


@dataclass(frozen=True)
class _Files:
    """A pair's files in `upper_body/`: `013563_0.jpg` the person, `_1.jpg` the garment, `_2.json` the keypoints.

    `_4.png` is the person's parse, which only plain masks need.
    """

    person: Path
    keypoints: Path
    cloth: Path
    parse: Path


class _Pose(BaseModel):
    keypoints: list[tuple[float, float, float, float]]


class DressCode(PairFolder):
    """The pairs of one split, `upper_body` before `dresses`; the same samples as VITON-HD's reader gives.

    The published folders hold no agnostic masks and no garment masks: the former are drawn from the keypoints, the
    latter read from `cloth_mask/` if somebody added them (`013563_1.png`), else found by colour. Plain masks are the
    garment in `label_maps/`.
    """

    def __init__(
        self,
        root: str | Path,
        split: Split = "train",
        paired: bool = True,
        height: int = 256,
        width: int = 192,
        categories: Sequence[str] | None = None,
        mask: MaskKind = "improved",
    ) -> None:
        """`categories` are names of `CATEGORIES`; by default all that are there and can be dressed.

        Pictures of any size are resized to (height, width); DressCode's are 1024x768, so 4:3 keeps their shape.
        `UserError` for a folder or list that is missing, for `lower_body`, for a split that has no such list; when a
        sample is read, for a file that is missing or broken and a person of another shape than (height, width).
        """
        self.root, self.split = Path(root), split
        if split not in SPLITS:
            raise UserError(f"no split {split!r}: choose one of {', '.join(SPLITS)}")
        lists = _LISTS.get((split, paired))
        if lists is None:
            raise UserError("DressCode lists no unpaired pairs to train on: use paired ones, or the split 'test'")
        parts = _parts(self.root, categories)
        super().__init__([pair for part in parts for pair in _listed(self.root / part, lists)], height, width, mask)

    def _truth(self, pair: Pair) -> Truth:
        size = (self.height, self.width)
        files = self._files(pair)
        person = load_photo(files.person)
        check_shape(files.person, person.pixels, *size, "what is asked for")
        pose = _read_pose(files.keypoints)
        parse = _read_labels(files.parse, person) if is_there(files.parse) else None
        shown = None if parse is None else take_labels(parse, _whole(parse), *_POSE_SIZE)
        check_person(pose, *_POSE_SIZE, parse=shown, names=Names(str(files.keypoints), parse=str(files.parse)))
        keypoints = pose.moved(Crop(0, 0, _POSE_SIZE[1], _POSE_SIZE[0]), *size)
        if self.mask != "plain":
            mask = agnostic_mask(keypoints, *size, _category(pair.part))
        elif parse is not None:
            labels = take_labels(parse, _whole(parse), *size)
            mask = plain_mask(np.isin(labels, _GARMENT), str(files.parse))
        else:
            raise UserError(f"{files.parse} is missing: plain masks need DressCode's label_maps, improved ones do not")
        return Truth(pair.person, resized(person.pixels, *size), mask, keypoints)

    def _garment(self, pair: Pair) -> Garment:
        cloth = load_photo(self._files(pair).cloth)
        names = picture_names(Path(pair.cloth).with_suffix(".png").name)
        masks = (self.root / pair.part / folder / name for folder in _CLOTH_MASKS for name in names)
        file = next((path for path in masks if is_there(path)), None)
        mask = None if file is None else check_same_size(file, load_mask(file), cloth.height, cloth.width)
        return Garment(cloth.pixels, cut_out(Photo(cloth.pixels), mask, mask_name=str(file)), _category(pair.part))

    def _files(self, pair: Pair) -> _Files:
        folder = self.root / pair.part
        number = pair.person.rpartition("_")[0]
        files = _Files(
            _picture(folder / "images", pair.person),
            folder / "keypoints" / f"{number}_2.json",
            _picture(folder / "images", pair.cloth),
            folder / "label_maps" / f"{number}_4.png",
        )
        for path in (files.person, files.keypoints, files.cloth):
            if not is_there(path):
                raise UserError(f"{path} is missing, though a list of {folder} needs it: copy the dataset again")
        return files


def _parts(root: Path, wanted: Sequence[str] | None) -> list[str]:
    if not root.is_dir():
        raise UserError(f"no dataset at {root}: name the folder that holds {', '.join(CATEGORIES)}")
    there = [name for name in CATEGORIES if (root / name).is_dir()]
    chosen = [name for name in there if CATEGORIES[name] is not None] if wanted is None else list(wanted)
    for name in chosen:
        if name not in CATEGORIES:
            raise UserError(f"no DressCode category {name!r}: {suggestion(name, CATEGORIES)}")
        if name not in there:
            raise UserError(f"{root} holds no {name}: unpack DressCode as published")
    if not chosen or any(CATEGORIES[name] is None for name in chosen):
        raise UserError("lower_body cannot be dressed yet: choose upper_body or dresses")
    return chosen


def _listed(folder: Path, lists: Sequence[str]) -> list[Pair]:
    missing = [name for name in ("images", "keypoints") if not (folder / name).is_dir()]
    if missing:
        raise UserError(f"{folder} lacks {', '.join(missing)}: unpack DressCode as published")
    path = next((folder / name for name in lists if (folder / name).is_file()), folder / lists[0])
    pairs = read_pairs(path, folder.name)
    # `_0` is a person and `_1` a garment, whichever of them a list names first.
    return [Pair(pair.cloth, pair.person, pair.part) if _is_swapped(pair) else pair for pair in pairs]


def _is_swapped(pair: Pair) -> bool:
    return Path(pair.person).stem.endswith("_1") and Path(pair.cloth).stem.endswith("_0")


def _picture(folder: Path, name: str) -> Path:
    """The picture a list names, or the one that is there with another suffix."""
    files = [folder / each for each in picture_names(name)]
    return next((file for file in files if is_there(file)), files[0])


def _whole(picture: NDArray[np.uint8]) -> Crop:
    return Crop(0, 0, picture.shape[1], picture.shape[0])


def _read_labels(path: Path, person: Photo) -> NDArray[np.uint8]:
    """A person's parse in LIP's labels. `UserError` for one with other labels than DressCode's, or of another shape."""
    labels = read_parse(path)
    check_shape(path, labels, person.height, person.width, "its photo")
    if labels.max() >= len(_LABELS):
        raise UserError(
            f"{path} holds labels up to {labels.max()}: DressCode's label maps have 0 to {len(_LABELS) - 1}"
        )
    return _LABELS[labels]


def _category(part: str) -> Category:
    category = CATEGORIES[part]
    assert category is not None  # refused when the folder was opened
    return category


def _read_pose(path: Path) -> Keypoints:
    """18 rows of x, y and two numbers that are not documented; an unseen joint lies at or before the first pixel."""
    try:
        rows = _Pose.model_validate_json(text_of(read_given_bytes(path, str(path)), str(path))).keypoints
    except ValidationError as error:
        raise UserError(f"{path} is not DressCode's pose: it needs 'keypoints', 18 rows of 4 numbers") from error
    table = np.array(rows, np.float64).reshape(-1, 4)
    if len(table) != 18 or not np.isfinite(table[:, :2]).all() or np.abs(table[:, :2]).max() > 1e6:
        raise UserError(f"{path} is not DressCode's pose: it needs 18 rows of finite numbers")
    if 0 < table[:, :2].max() <= 1:
        height, width = _POSE_SIZE
        raise UserError(f"{path} lies in 0..1, not in pixels of {width}x{height}: multiply by width and height")
    seen = (table[:, :2] > 1).all(axis=1)
    pose = Keypoints(np.where(seen[:, None], table[:, :2], 0).astype(np.float32), seen.astype(np.float32))
    try:
        pose.completed()
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return pose

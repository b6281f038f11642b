"""Clothing Co-Parsing's own folder: photos, and a parse map for some of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lite_vton.data.ccp.matlab import read_variable
from lite_vton.data.ccp.reasons import Reason
from lite_vton.data.conversion.outcome import DroppedError
from lite_vton.errors import UserError
from lite_vton.photo.files import Photo, load_photo

__all__ = ["Source", "open_source", "read_photo_and_labels"]

_PHOTOS, _PARSES, _NAMES = "photos", "annotations/pixel-level", "label_list.mat"
_NUMBER = re.compile(r"\d{1,9}")
_LONGEST_LIST = 250  # a parse map has 8 bits


@dataclass(frozen=True)
class Source:
    """`folder` of the dataset, `names` of its photos, and what its `labels` are called, in their order."""

    folder: Path
    names: tuple[str, ...]
    labels: tuple[str, ...]


def open_source(folder: Path) -> Source:
    """The dataset in `folder`. `UserError` that names what it lacks."""
    if not folder.is_dir():
        raise UserError(f"no folder {folder}: name the one that holds {_PHOTOS}/, {_PARSES}/ and {_NAMES}")
    wanted = {f"{_PHOTOS}/": (folder / _PHOTOS).is_dir(), f"{_PARSES}/": (folder / _PARSES).is_dir()}
    missing = [name for name, there in {**wanted, _NAMES: (folder / _NAMES).is_file()}.items() if not there]
    if missing:
        raise UserError(f"{folder} lacks {', '.join(missing)}: name the folder of Clothing Co-Parsing as published")
    photos = {path.stem for path in (folder / _PHOTOS).glob("*.jpg")}
    parses = {path.stem for path in (folder / _PARSES).glob("*.mat")}
    names = sorted(name for name in photos | parses if _NUMBER.fullmatch(name))
    if not names:
        raise UserError(f"{folder / _PHOTOS} holds no numbered photos (0001.jpg): copy the dataset again")
    return Source(folder, tuple(names), _label_names(folder / _NAMES))


def read_photo_and_labels(source: Source, name: str) -> tuple[Photo, NDArray[np.uint8]]:
    """Photo and labels (H, W) uint8, each below the number of label names. `DroppedError` where they cannot be used."""
    photo_file = source.folder / _PHOTOS / f"{name}.jpg"
    parse_file = source.folder / _PARSES / f"{name}.mat"
    if not parse_file.is_file():
        raise DroppedError(Reason.NO_PARSE)
    if not photo_file.is_file():
        raise DroppedError(Reason.NO_PHOTO)
    labels = _labels(parse_file, len(source.labels))
    try:
        photo = load_photo(photo_file)
    except UserError as error:
        raise DroppedError(Reason.BROKEN_PHOTO, str(error)) from error
    if labels.shape != (photo.height, photo.width):
        height, width = labels.shape
        raise DroppedError(Reason.SIZES, f"the parse is {width}x{height}, the photo {photo.width}x{photo.height}")
    return photo, labels


def _labels(path: Path, count: int) -> NDArray[np.uint8]:
    try:
        found = np.asarray(read_variable(path, "groundtruth"))
    except UserError as error:
        raise DroppedError(Reason.BROKEN_PARSE, str(error)) from error
    if found.ndim != 2 or not found.size or found.dtype.kind not in "uif":
        raise DroppedError(Reason.BROKEN_PARSE, f"{path.name} holds no map of labels")
    if not np.isin(found, np.arange(count)).all():
        raise DroppedError(Reason.UNKNOWN_LABEL, f"{path.name} holds labels beyond the {count} that have names")
    return found.astype(np.uint8)


def _label_names(path: Path) -> tuple[str, ...]:
    cells = np.asarray(read_variable(path, "label_list")).ravel()
    names = [str(np.asarray(cell).ravel()[0]) if np.size(cell) else "" for cell in cells]
    if not 0 < len(names) <= _LONGEST_LIST:
        raise UserError(f"{path} holds {len(names)} names: copy the dataset again")
    return tuple(names)

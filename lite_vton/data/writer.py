"""Writing one pair as VITON-HD's files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from lite_vton.data.layout import FOLDERS, part_file
from lite_vton.data.pair import Pair
from lite_vton.mask.agnostic import agnostic_mask
from lite_vton.mask.parsed import parsed_mask
from lite_vton.person.keypoints import skeleton_picture, write_keypoints
from lite_vton.person.parse_labels import PALETTE

__all__ = ["is_written_here", "make_folders", "write_pair"]

_MARK = ("Software", "lite-vton")
"""Text in every parse: a dataset is told by it from those made elsewhere, whose files have the same names."""


def make_folders(split_folder: Path) -> None:
    """All folders of one split."""
    for folder, _ in FOLDERS.values():
        (split_folder / folder).mkdir(parents=True, exist_ok=True)


def is_written_here(split_folder: Path) -> bool:
    """Whether `write_pair` wrote the first pair of a split."""
    folder, ending = FOLDERS["parse"]
    first = min((split_folder / folder).glob(f"*{ending}"), default=None)
    if first is None:
        return False
    try:
        with Image.open(first, formats=("PNG",)) as image:
            return (_MARK[0], image.info.get(_MARK[0])) == _MARK
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return False


def write_pair(split_folder: Path, picture: str, pair: Pair) -> None:
    """All nine files of `pair` under the name `picture` (`00001_00.jpg`)."""
    height, width = pair.parse.shape
    covered = agnostic_mask(pair.keypoints, height, width, pair.category)
    mask = parsed_mask(covered, pair.parse, pair.keypoints, pair.category) > 0.5
    palette = [channel for color in PALETTE for channel in color]

    def path(kind: str) -> Path:
        return part_file(split_folder, kind, picture)

    def indexed(labels: NDArray[np.uint8]) -> Image.Image:
        image = Image.frombytes("P", (width, height), labels.tobytes())
        image.putpalette(palette)
        return image

    _jpeg(path("person"), pair.person)
    _jpeg(path("cloth"), pair.cloth)
    _jpeg(path("cloth_mask"), pair.cloth_mask)
    _jpeg(path("agnostic"), np.where(mask[..., None], np.uint8(128), pair.person))
    Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0))).save(path("mask"))
    write_keypoints(path("keypoints"), pair.keypoints)
    Image.fromarray(skeleton_picture(pair.keypoints, height, width)).save(path("skeleton"))
    mark = PngInfo()
    mark.add_text(*_MARK)
    indexed(pair.parse).save(path("parse"), pnginfo=mark)
    indexed(np.where(mask, np.uint8(0), pair.parse)).save(path("parse_agnostic"))


def _jpeg(path: Path, picture: NDArray[np.uint8]) -> None:
    # 4:4:4, since halved chroma would blur thin stripes at this size.
    Image.fromarray(picture).save(path, quality=95, subsampling=0)

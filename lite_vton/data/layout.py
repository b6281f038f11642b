"""VITON-HD's folders and file names, for what reads them and what writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from lite_vton.errors import UserError

__all__ = [
    "CUTS",
    "FOLDERS",
    "HOLES",
    "LANDMARKS",
    "PICTURE_SUFFIXES",
    "SPLITS",
    "find_part",
    "has_folder",
    "is_there",
    "part_file",
    "picture_names",
]

SPLITS = ("train", "test")

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif")
"""How names of pictures end, in lists of pairs; upper case too."""

FOLDERS: dict[str, tuple[str, str]] = {
    "person": ("image", ".jpg"),
    "cloth": ("cloth", ".jpg"),
    "cloth_mask": ("cloth-mask", ".jpg"),
    "agnostic": ("agnostic-v3.2", ".jpg"),
    "mask": ("agnostic-mask", "_mask.png"),
    "keypoints": ("openpose_json", "_keypoints.json"),
    "skeleton": ("openpose_img", "_rendered.png"),
    "parse": ("image-parse-v3", ".png"),
    "parse_agnostic": ("image-parse-agnostic-v3.2", ".png"),
}
"""For each kind of file its folder and what follows the stem of the picture's name (`00001_00`)."""

HOLES = ("cloth-holes", ".png")
"""Beside VITON-HD's own, as `FOLDERS`: 255 where a garment laid flat from a photo was hidden in it and is filled."""

CUTS = ("cloth-cut", ".json")
"""Beside VITON-HD's own, as `FOLDERS`: how a garment laid flat from a photo is cut, on the scale of who wore it."""

LANDMARKS = ("cloth-landmarks", ".json")
"""Beside VITON-HD's own, as `FOLDERS`: a garment's named points in pixels, its class, category and source."""

_OWN = {"holes": HOLES, "cut": CUTS, "landmarks": LANDMARKS}

_ALSO: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = MappingProxyType(
    {
        "cloth_mask": (("cloth_mask",), (".png", ".jpeg")),
        "mask": (("agnostic_mask",), ("_mask.jpg", ".png", ".jpg")),
        "keypoints": (("openpose-json",), (".json",)),
        "parse": (("image-parse", "image_parse"), ()),
    }
)
"""For some kinds the folders and endings that copies of the dataset have instead, tried after its own."""


def part_file(split_folder: Path, kind: str, picture: str) -> Path:
    """The file of `kind` (of `FOLDERS`, "holes", "cut" or "landmarks") that belongs to `picture` (`00001_00.jpg`)."""
    folder, ending = _OWN.get(kind) or FOLDERS[kind]
    return split_folder / folder / (_stem(picture) + ending)


def find_part(split_folder: Path, kind: str, picture: str) -> Path | None:
    """The file of `kind` that is there for `picture`, under the published name or another usual one; None if none is.

    Pictures of people and clothes have the name itself, or that with another suffix. `UserError` as `is_there`.
    """
    folder, ending = _OWN.get(kind) or FOLDERS[kind]
    folders, endings = _ALSO.get(kind, ((), ()))
    names = picture_names(picture) if kind in ("person", "cloth") else [_stem(picture) + e for e in (ending, *endings)]
    files = (split_folder / each / name for each in (folder, *folders) for name in names)
    return next((file for file in files if is_there(file)), None)


def has_folder(split_folder: Path, kind: str) -> bool:
    """Whether files of `kind` have a folder, under the published name or another usual one."""
    folders, _ = _ALSO.get(kind, ((), ()))
    return any((split_folder / folder).is_dir() for folder in (FOLDERS[kind][0], *folders))


def picture_names(picture: str) -> list[str]:
    """`picture`, and the same with every other suffix a picture may have."""
    stem = _stem(picture)
    names = [picture, *(stem + case for suffix in PICTURE_SUFFIXES for case in (suffix, suffix.upper()))]
    return list(dict.fromkeys(names))


def is_there(file: Path) -> bool:
    """Whether `file` is a file, links followed. `UserError` where that cannot be told: no right, a name too long."""
    try:
        return file.is_file()
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from error


def _stem(picture: str) -> str:
    suffix = Path(picture).suffix
    return picture.removesuffix(suffix) if suffix.lower() in PICTURE_SUFFIXES else picture

"""Readers of photos, masks, parses and keypoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.fuzz.reader import Reader

__all__ = ["ROWS"]


def _photo(suffix: str, **options: object) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        draw = np.random.default_rng(0)
        pixels = np.kron(draw.integers(0, 256, (9, 8, 3), dtype=np.uint8), np.ones((9, 9, 1), np.uint8))
        image = Image.fromarray(pixels)
        exif = image.getexif()
        exif[0x0112], exif[0x010F] = 6, "camera"
        given: dict[str, object] = {"exif": exif.tobytes()} if suffix in ("jpg", "png", "webp", "avif", "tif") else {}
        image.save(folder / f"photo.{suffix}", **given | options)

    return make


def _read_photo(folder: Path) -> None:
    from lite_vton.photo.files import load_photo

    (path,) = folder.iterdir()
    load_photo(path)


def _mask(folder: Path) -> None:
    values = np.zeros((80, 70, 4), np.uint8)
    values[20:60, 20:50] = 255
    Image.fromarray(values).save(folder / "mask.png")


def _read_mask(folder: Path) -> None:
    from lite_vton.photo.files import load_mask

    load_mask(folder / "mask.png")


def _parse(folder: Path) -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 20, (80, 70), dtype=np.uint8), "P")
    picture.putpalette([value for index in range(20) for value in (index, 2 * index, 3 * index)])
    picture.save(folder / "parse.png")


def _read_parse(folder: Path) -> None:
    from lite_vton.person.parse import read_parse

    read_parse(folder / "parse.png")


def _keypoints(folder: Path) -> None:
    from lite_vton.person.keypoints import Keypoints, write_keypoints

    points = np.random.default_rng(0).uniform(10, 200, (18, 2))
    write_keypoints(folder / "keypoints.json", Keypoints(points, np.ones(18)))


def _read_keypoints(folder: Path) -> None:
    from lite_vton.person.keypoints import read_keypoints

    read_keypoints(folder / "keypoints.json").check_inside(300, 300)


_FORMATS: dict[str, dict[str, object]] = {
    "jpg": {},
    "png": {},
    "webp": {},
    "avif": {},
    "gif": {},
    "bmp": {},
    "tif": {"compression": "tiff_lzw"},
    "jp2": {},
    "ppm": {},
}

ROWS = (
    *(
        Reader(f"photo-{suffix}", _photo(suffix, **options), _read_photo, share=3)
        for suffix, options in _FORMATS.items()
    ),
    Reader("mask", _mask, _read_mask, share=4),
    Reader("parse", _parse, _read_parse, share=4),
    Reader("keypoints", _keypoints, _read_keypoints, share=8),
)

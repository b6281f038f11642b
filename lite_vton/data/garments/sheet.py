"""Some of the garments that were cut out, on one picture to look at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lite_vton.data.layout import part_file
from lite_vton.photo.files import load_photo, save_photo

__all__ = ["write_sheet"]

_MOST, _ACROSS = 60, 10
_TILE = (192, 144)  # height, width
_CAPTION, _GAP = 16, 8
_LETTERS = 22
_GREY = 128
_DOT = 3


def write_sheet(path: Path, split_folder: Path, names: Sequence[str]) -> None:
    """At most 60 of the garments `names`, evenly spaced, on grey, with a dot at each landmark."""
    count = min(_MOST, len(names))
    shown = [names[index * len(names) // count] for index in range(count)]
    rows, across = -(-count // _ACROSS), min(_ACROSS, count)
    high, wide = _TILE[0] + _CAPTION + _GAP, _TILE[1] + _GAP
    sheet = Image.new("RGB", (across * wide + _GAP, rows * high + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=11)
    for index, name in enumerate(shown):
        left, top = _GAP + index % _ACROSS * wide, _GAP + index // _ACROSS * high
        sheet.paste(_tile(split_folder, name), (left, top))
        draw.text((left, top + _TILE[0] + 1), name[:_LETTERS], fill="black", font=font)
    save_photo(path, np.array(sheet))


def _tile(split_folder: Path, name: str) -> Image.Image:
    cloth, mask, points = (
        part_file(split_folder, kind, f"{name}.jpg") for kind in ("cloth", "cloth_mask", "landmarks")
    )
    shown = np.where(load_photo(mask).pixels > 127, load_photo(cloth).pixels, np.uint8(_GREY))
    marks = json.loads(points.read_text(encoding="utf-8"))["landmarks"]
    tile = Image.fromarray(shown)
    scale = min(_TILE[0] / tile.height, _TILE[1] / tile.width)
    tile = tile.resize((max(1, round(tile.width * scale)), max(1, round(tile.height * scale))))
    draw = ImageDraw.Draw(tile)
    for x, y in marks.values():
        x, y = x * scale, y * scale
        draw.ellipse((x - _DOT, y - _DOT, x + _DOT, y + _DOT), fill=(200, 0, 60), outline="white")
    return tile

"""Pictures side by side under headings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Column", "contact_sheet"]

_GAP, _HEADING = 8, 22  # pixels
_SMALLEST = 96  # width below which a tile is enlarged, so that its heading fits


@dataclass(frozen=True)
class Column:
    """A heading, and one picture (h, w, 3) uint8 RGB per row; they may differ in size."""

    heading: str
    pictures: Sequence[NDArray[np.uint8]]


def contact_sheet(columns: Sequence[Column]) -> NDArray[np.uint8]:
    """One white sheet (H, W, 3) uint8; every tile has the size of the first column's first picture, or twice that."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = columns[0].pictures[0].shape[:2]
    scale = -(-_SMALLEST // width)
    height, width = height * scale, width * scale
    rows = max(len(column.pictures) for column in columns)
    font = ImageFont.load_default(size=13)
    wide = max(width, *(round(font.getlength(column.heading)) for column in columns))
    sheet = Image.new("RGB", (len(columns) * (wide + _GAP) + _GAP, _HEADING + rows * (height + _GAP) + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for index, column in enumerate(columns):
        left = _GAP + index * (wide + _GAP)
        draw.text((left, 5), column.heading, fill="black", font=font)
        for row, picture in enumerate(column.pictures):
            tile = Image.fromarray(picture)
            tile.thumbnail((width, height))
            if tile.width < width and tile.height < height:
                tile = tile.resize((width, height), Image.Resampling.NEAREST)
            sheet.paste(tile, (left, _HEADING + _GAP // 2 + row * (height + _GAP)))
    return np.array(sheet)

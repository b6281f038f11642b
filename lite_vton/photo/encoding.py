"""A picture as a file's content: the formats results are written in, by suffix."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lite_vton.errors import UserError
from lite_vton.photo.transparency import over_white

__all__ = ["WRITTEN_FORMATS", "WrittenFormat", "encode_picture", "encode_png", "written_format"]


@dataclass(frozen=True)
class WrittenFormat:
    """A format by Pillow's `name`, the longest side it has room for in pixels, and whether it can be transparent."""

    name: str
    longest: int
    has_alpha: bool
    options: Mapping[str, object] = field(default_factory=dict)


_JPEG = WrittenFormat("JPEG", 65_500, False, {"quality": 95, "subsampling": 0})
WRITTEN_FORMATS: Mapping[str, WrittenFormat] = MappingProxyType(
    {
        ".png": WrittenFormat("PNG", 2**31 - 1, True),
        ".jpg": _JPEG,
        ".jpeg": _JPEG,
        ".webp": WrittenFormat("WEBP", 16_383, True, {"quality": 95, "exact": True}),
    }
)
"""The formats that pictures are written in, by the suffix of the file."""


def written_format(path: Path, height: int = 1, width: int = 1) -> WrittenFormat:
    """The format in which a picture of this size is written at `path`. `UserError` where there is none."""
    chosen = WRITTEN_FORMATS.get(path.suffix.lower())
    if chosen is None:
        *first, last = WRITTEN_FORMATS
        raise UserError(f"cannot save {path}: name it {', '.join(first)} or {last}")
    if max(height, width) > chosen.longest:
        raise UserError(
            f"cannot save {path}: {chosen.name} holds at most {chosen.longest} pixels a side and the picture is "
            f"{width}x{height}, name it .png"
        )
    return chosen


def encode_picture(
    file: BinaryIO, pixels: NDArray[np.uint8], chosen: WrittenFormat, icc_profile: bytes | None = None
) -> None:
    """Write pixels (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey, all uint8; on white where the format has no alpha."""
    if pixels.ndim == 3 and pixels.shape[2] == 4 and not chosen.has_alpha:
        pixels = over_white(pixels[..., :3], pixels[..., 3])
    if chosen.name == "PNG" and pixels.shape[0] * pixels.shape[1] > _LARGE:
        encode_png(file, pixels, icc_profile)
        return
    Image.fromarray(pixels).save(file, chosen.name, **chosen.options, icc_profile=icc_profile)


def encode_png(file: BinaryIO, pixels: NDArray[np.uint8], icc_profile: bytes | None = None) -> None:
    """Write pixels as `encode_picture` does, as PNG and quickly: the file is about a tenth larger.

    Pillow 13 tries all five filters on every row: 17 s of CPU for 49 megapixels, and 3 s even uncompressed. Here each
    row is its difference to the one above, run lengths are found and nothing longer: 2 s, in little memory.
    """
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels).reshape(height, -1)
    depth = 1 if pixels.ndim == 2 else pixels.shape[2]
    file.write(b"\x89PNG\r\n\x1a\n")
    _chunk(file, b"IHDR", struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPE[depth], 0, 0, 0))
    if icc_profile:
        _chunk(file, b"iCCP", b"ICC profile\0\0" + zlib.compress(icc_profile))
    packed = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    above = np.zeros(rows.shape[1], np.uint8)
    for top in range(0, height, _STRIP):
        strip = rows[top : top + _STRIP]
        filtered = np.full((len(strip), rows.shape[1] + 1), _UP, np.uint8)
        np.subtract(strip[0], above, out=filtered[0, 1:])
        np.subtract(strip[1:], strip[:-1], out=filtered[1:, 1:])
        above = strip[-1]
        content = packed.compress(filtered.data)
        if content:
            _chunk(file, b"IDAT", content)
    _chunk(file, b"IDAT", packed.flush())
    _chunk(file, b"IEND", b"")


_LARGE = 4_000_000  # pixels: smaller pictures are packed as small as Pillow can
_COLOUR_TYPE = {1: 0, 3: 2, 4: 6}  # PNG's, by channels
_UP = 2  # PNG's filter: the difference to the pixel above
_STRIP = 32  # rows: what is filtered at a time stays in the processor's cache


def _chunk(file: BinaryIO, kind: bytes, content: bytes) -> None:
    file.write(struct.pack(">I", len(content)) + kind)
    file.write(content)
    file.write(struct.pack(">I", zlib.crc32(content, zlib.crc32(kind))))

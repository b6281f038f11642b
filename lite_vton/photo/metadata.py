"""A picture's file without its metadata: what they say wrong is no reason to refuse the picture.

Pillow reads text, resolutions and profiles before the first pixel, and gives up where one of them is too long or
broken. Here a file's content is copied without them; what turns and colours the picture stays where it is sound.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

__all__ = ["without_metadata"]


def without_metadata(content: bytes) -> bytes | None:
    """The same picture in a file of the same format; None for a format whose metadata cannot do harm."""
    for magic, strip in _STRIPPED.items():
        if content.startswith(magic):
            try:
                return strip(content)
            except struct.error:  # the file ends within a length
                return None
    return None


_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_PICTURE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_LONGEST = 2**20  # bytes of an unpacked profile that Pillow takes


def _png(content: bytes) -> bytes:
    kept = [_PNG]
    for kind, chunk in _png_chunks(content):
        if kind in _PNG_PICTURE or (kind == b"eXIf" and _is_whole(chunk)) or (kind == b"iCCP" and _is_profile(chunk)):
            kept.append(chunk)
    return b"".join(kept)


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and bytes of each chunk, with its length and sum."""
    place = len(_PNG)
    while place + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        yield kind, content[place : place + length + 12]
        place += length + 12
        if kind == b"IEND":
            return


def _is_whole(chunk: bytes) -> bool:
    return zlib.crc32(chunk[4:-4]).to_bytes(4, "big") == chunk[-4:]


def _is_profile(chunk: bytes) -> bool:
    name, _, packed = chunk[8:-4].partition(b"\0")
    if not _is_whole(chunk) or not name or packed[:1] != b"\0":
        return False
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(packed[1:], _LONGEST)
    except zlib.error:
        return False
    return unpacking.eof


_JPEG = b"\xff\xd8"
_START_OF_SCAN = 0xDA
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a segment
_COMMENT = 0xFE
_APPLICATION = {
    0xE0: (b"JFIF\0", 12),
    0xE1: (b"Exif\0\0", 14),
    0xE2: (b"ICC_PROFILE\0", 14),
    0xEE: (b"Adobe", 12),
}
"""The application segments that turn and colour a picture: how they begin, and their least length in bytes."""


def _jpeg(content: bytes) -> bytes:
    kept, place = [_JPEG], len(_JPEG)
    while place + 1 < len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker == 0xFF:  # a filling byte
            place += 1
            continue
        if marker == _START_OF_SCAN:
            break
        end = place + 2 + (0 if marker in _ALONE else int(struct.unpack_from(">H", content, place + 2)[0]))
        segment = content[place:end]
        begins, least = _APPLICATION.get(marker, (b"", 0))
        is_other = marker == _COMMENT or (0xE0 <= marker <= 0xEF and marker not in _APPLICATION)
        if not is_other and segment[4:].startswith(begins) and len(segment) - 4 >= least:
            kept.append(segment)
        place = end
    return b"".join(kept) + content[place:]


_TIFF_PICTURE = frozenset(
    {254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320}
    | {322, 323, 324, 325, 330, 332, 338, 339, 347, 529, 530, 531, 532, 34675}
)
_TIFF_NOTHING = 0xFFFF  # a tag that no reader knows


def _tiff(content: bytes) -> bytes:
    order = "<" if content.startswith(b"II") else ">"
    bare = bytearray(content)
    (directory,) = struct.unpack_from(f"{order}I", bare, 4)
    (count,) = struct.unpack_from(f"{order}H", bare, directory)
    for place in range(directory + 2, directory + 2 + 12 * count, 12):
        (tag,) = struct.unpack_from(f"{order}H", bare, place)
        if tag not in _TIFF_PICTURE:
            struct.pack_into(f"{order}HHI4s", bare, place, _TIFF_NOTHING, 1, 1, b"\0\0\0\0")
    return bytes(bare)


_STRIPPED = {_PNG: _png, _JPEG: _jpeg, b"II*\0": _tiff, b"MM\0*": _tiff}

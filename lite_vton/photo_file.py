"""A picture's file, opened: which formats are read, how large a picture may be, and what can be wrong with a file."""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zlib
from pathlib import Path

from PIL import ExifTags, Image, UnidentifiedImageError

from lite_vton.errors import UserError

__all__ = ["MIN_SIDE", "PHOTO_FORMATS", "NotAPhotoError", "TooLargeError", "open_picture"]

MIN_SIDE = 64
"""Shortest side in pixels a photo may have: below it there is no garment to see."""

PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "JPEG2000", "PPM")
"""The formats that are read, in Pillow's names, whoever gives the file. Pillow knows more; EPS runs Ghostscript."""


class NotAPhotoError(UserError):
    """The bytes are empty, damaged, or no picture at all."""


class TooLargeError(UserError):
    """The picture has more pixels than are decoded."""


_BROKEN = (
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise for broken files, each in its own way."""


def open_picture(source: Path | bytes, name: str, max_megapixels: float = 50) -> Image.Image:
    """The picture in a file or in a file's bytes, which `name` calls in errors: decoded, and upright by its EXIF.

    Of several pictures in a file it is the first. Other metadata is passed over, and what of it cannot be read.

    `NotAPhotoError` for a file that is empty, damaged or in a format other than `PHOTO_FORMATS`, `TooLargeError`, and
    `UserError` for one that cannot be read or has a side below `MIN_SIDE`. The size is checked from the header, so a
    decompression bomb is never decoded.
    """
    if _is_empty(source, name):
        raise NotAPhotoError(f"{name} is empty: export or download the photo again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # max_megapixels decides about bombs; odd metadata is passed over
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=_formats()) as image:
                _check_size(name, image.size, max_megapixels)
                return _upright(image)
    except UserError:
        raise
    except Image.DecompressionBombError as error:
        raise TooLargeError(f"{name} is larger than {max_megapixels:g} megapixels: scale it down first") from error
    except UnidentifiedImageError as error:
        raise NotAPhotoError(f"{name} is not an image that is read here: save it as JPEG or PNG") from error
    except OSError as error:
        if error.errno is not None:
            raise UserError(f"cannot read {name}: {error.strerror or error}") from error
        raise NotAPhotoError(_damaged(name, error)) from error
    except _BROKEN as error:
        raise NotAPhotoError(_damaged(name, error)) from error


def _upright(image: Image.Image) -> Image.Image:
    try:
        exif = image.getexif()
        for group in _GROUPS:  # Pillow 13's TIFF reader looks into these when it loads, whatever is in them
            exif.pop(group, None)
        turn = _TURNS.get(exif.get(ExifTags.Base.Orientation, 1))
    except (*_BROKEN, OSError):
        turn = None
    image.load()
    is_turned = image.format == "TIFF"  # by its reader
    return image if turn is None or is_turned else image.transpose(turn)


_GROUPS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo, ExifTags.IFD.Interop)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _formats() -> tuple[str, ...]:
    Image.init()  # Pillow registers most formats only when it is asked for
    return tuple(each for each in PHOTO_FORMATS if each in Image.OPEN)


def _is_empty(source: Path | bytes, name: str) -> bool:
    if isinstance(source, bytes):
        return not source
    try:
        status = source.stat()
    except (OSError, ValueError) as error:  # a name with a zero in it is a ValueError
        raise UserError(f"cannot read {name}: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"cannot read {name}: it is not a file")
    return status.st_size == 0


def _check_size(name: str, size: tuple[int, int], max_megapixels: float) -> None:
    width, height = size
    if width * height > max_megapixels * 1e6:
        raise TooLargeError(f"{name} is {width}x{height}, over {max_megapixels:g} megapixels: scale it down")
    if min(width, height) < MIN_SIDE:
        raise UserError(f"{name} is {width}x{height}: use a photo of at least {MIN_SIDE} pixels a side")


def _damaged(name: str, error: Exception) -> str:
    reason = " ".join(str(error).split()) or type(error).__name__
    return f"{name} is damaged ({reason}): export or download the photo again"

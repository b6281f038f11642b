"""TIFFs of kinds that Pillow has no modes for or reads wrongly: 32 bits a channel, half floats, deep greys with alpha.

What is not compressed is read as it lies in the file; the rest is decoded by OpenCV.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import ImageFileDirectory_v2

__all__ = ["is_misread", "read_deep_tiff"]

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIPS, _ORIENTATION, _CHANNELS, _STRIP_SIZES, _PLANES = 273, 274, 277, 279, 284
_EXTRA, _FORMAT, _PROFILE = 338, 339, 34675

_TYPES = MappingProxyType({1: "u", 2: "i", 3: "f"})  # NumPy's, by SampleFormat
_WHITE_IS_ZERO, _RGB, _INK = 0, 2, 5  # Photometric: greys the other way round, colours, CMYK
_COLOURS = MappingProxyType({_WHITE_IS_ZERO: 1, 1: 1, _RGB: 3, _INK: 4})  # channels without alpha, by Photometric
_MODES = MappingProxyType({1: ("L", "La", "LA"), 3: ("RGB", "RGBa", "RGBA"), 4: ("CMYK", "CMYK", "CMYK")})
"""Pillow's, by these channels and by ExtraSamples: 0 no alpha, 1 one that colours are multiplied with, 2 another."""


def is_misread(image: Image.Image) -> bool:
    """Whether Pillow opens a picture and takes its whites for blacks: it knows no whole numbers of 32 bits.

    Nor greys of more than 8 bits of which 0 is white (Pillow 13, `TiffImagePlugin.OPEN_INFO`).
    """
    tags = getattr(image, "tag_v2", None)
    if image.format != "TIFF" or tags is None:
        return False
    return image.mode == "I" or (image.mode.startswith(("I", "F")) and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO)


def read_deep_tiff(content: bytes, check_size: Callable[[tuple[int, int]], None]) -> Image.Image:
    """The picture in 8 bits a channel, upright by its orientation; its profile is in `info`.

    `check_size` raises for a (width, height) that is not to be decoded; it is called before.
    `ValueError` where nobody can decode it; whatever Pillow raises for a broken directory.
    """
    directory = ImageFileDirectory_v2(content[:8])
    file = io.BytesIO(content)
    file.seek(directory.next)
    directory.load(file)
    check_size((int(directory[_WIDTH]), int(directory[_HEIGHT])))
    values = _as_it_lies(content, directory)
    if values is None:
        image = _decoded(content, directory)
    else:
        image = _turned(_in_mode(values, directory, int(directory.get(_PHOTOMETRIC, -1))), directory)
    if isinstance(directory.get(_PROFILE), bytes):
        image.info["icc_profile"] = directory[_PROFILE]
    return image


def _as_it_lies(content: bytes, directory: ImageFileDirectory_v2) -> NDArray[Any] | None:
    """(H, W, channels) of a file whose pixels are not compressed and stand channel by channel; None for another."""
    width, height, channels = (int(directory.get(tag, 1)) for tag in (_WIDTH, _HEIGHT, _CHANNELS))
    bits, formats = set(directory.get(_BITS, (1,))), set(directory.get(_FORMAT, (1,)))
    is_known = directory.get(_PHOTOMETRIC, -1) in _COLOURS
    is_plain = (
        is_known and directory.get(_COMPRESSION, 1) == 1 and directory.get(_PLANES, 1) == 1 and _STRIPS in directory
    )
    if not is_plain or len(bits) != 1 or len(formats) != 1 or not bits < {8, 16, 32, 64} or not formats <= set(_TYPES):
        return None
    order = "<" if content.startswith(b"II") else ">"
    dtype = np.dtype(f"{order}{_TYPES[formats.pop()]}{bits.pop() // 8}")
    strips = zip(directory[_STRIPS], directory[_STRIP_SIZES], strict=True)
    pixels = b"".join(content[start : start + size] for start, size in strips)
    return np.frombuffer(pixels, dtype, height * width * channels).reshape(height, width, channels)


def _in_mode(values: NDArray[Any], directory: ImageFileDirectory_v2, kind: int) -> Image.Image:
    colours = _COLOURS.get(kind)
    if colours is None or values.shape[2] < colours:
        raise ValueError("no reader for its kind of TIFF")
    shown = _eight_bit(values)
    if kind == _WHITE_IS_ZERO:
        shown[..., 0] = 255 - shown[..., 0]
    extra = next(iter(directory.get(_EXTRA, (0,))))
    mode = _MODES[colours][extra if extra in (1, 2) and values.shape[2] > colours else 0]
    shown = np.ascontiguousarray(shown[..., : Image.getmodebands(mode)])
    return Image.frombytes(mode, (shown.shape[1], shown.shape[0]), shown.tobytes())


def _turned(image: Image.Image, directory: ImageFileDirectory_v2) -> Image.Image:
    image.getexif()[_ORIENTATION] = directory.get(_ORIENTATION, 1)
    return ImageOps.exif_transpose(image)


def _decoded(content: bytes, directory: ImageFileDirectory_v2) -> Image.Image:
    """By OpenCV, which turns it upright, puts blue first, and gives colours for other photometrics than ink."""
    import cv2

    values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    kind, channels = int(directory.get(_PHOTOMETRIC, -1)), int(directory.get(_CHANNELS, 1))
    found = 0 if values is None else values.shape[2] if values.ndim == 3 else 1
    if values is None or found != channels or kind == _INK:
        raise ValueError("no reader for its kind of TIFF")
    if found == 1:
        return _in_mode(np.asarray(values)[..., None], directory, kind)
    return _in_mode(np.asarray(values)[..., [2, 1, 0, 3][:found]], directory, _RGB)


def _eight_bit(values: NDArray[Any]) -> NDArray[np.uint8]:
    finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    return np.asarray(np.clip(np.rint(finite * np.float32(255 / _white(values))), 0, 255), np.uint8)


def _white(values: NDArray[Any]) -> float:
    """What white is: of floats 1 or 255; of whole numbers the largest, or that of fewer bits where those hold all."""
    brightest = float(np.nanmax(values))
    if values.dtype.kind == "f":
        return 1.0 if brightest <= 1 else 255.0
    largest = int(np.iinfo(str(values.dtype)).max)
    if values.dtype.itemsize <= 2:
        return largest
    return next(float(white) for white in (255, 65535, largest) if brightest <= white)

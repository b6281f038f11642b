"""Photos in and out: any common file to upright 8-bit RGB, and back to disk atomically."""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from lite_vton.crop import Crop, paste_back, paste_mask, take_crop, torso_crop, worn_crop
from lite_vton.errors import UserError

__all__ = [
    "MIN_SIDE",
    "PHOTO_FORMATS",
    "Crop",
    "NotAPhotoError",
    "Photo",
    "TooLargeError",
    "load_photo",
    "paste_back",
    "paste_mask",
    "read_photo",
    "save_photo",
    "take_crop",
    "torso_crop",
    "worn_crop",
]

MIN_SIDE = 64
"""Shortest side in pixels a photo may have: below it there is no garment to see."""

PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF", "JPEG2000", "PPM")
"""What `read_photo` decodes, in Pillow's names. Pillow knows more; some of it, such as EPS, runs other programs."""


class NotAPhotoError(UserError):
    """The bytes are empty, damaged, or no picture at all."""


class TooLargeError(UserError):
    """The picture has more pixels than are decoded."""


@dataclass(frozen=True)
class Photo:
    """A picture as the networks' inputs are made from it.

    `pixels` (H, W, 3) uint8 RGB, upright, composited on white where the file was transparent.
    `alpha` (H, W) uint8, 255 = opaque; None where the file had no transparency.
    `icc_profile` the file's colour profile if it is an RGB one, to be saved with the result.
    """

    pixels: NDArray[np.uint8]
    icc_profile: bytes | None = None
    alpha: NDArray[np.uint8] | None = None

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[1])


def load_photo(path: str | Path, max_megapixels: float = 50) -> Photo:
    """The photo in any format Pillow reads, turned upright by its EXIF orientation.

    `UserError` for a file that is missing, empty, truncated, no image, smaller than `MIN_SIDE` or larger than
    `max_megapixels`; size is checked from the header, so a decompression bomb is never decoded.
    """
    path = Path(path)
    try:
        empty = path.stat().st_size == 0
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    return _read(path, str(path), empty, max_megapixels)


def read_photo(content: bytes, name: str, max_megapixels: float = 50) -> Photo:
    """The photo in a file's bytes, which `name` calls in errors; otherwise as `load_photo`.

    `NotAPhotoError` or `TooLargeError`, both of them `UserError`; also for formats other than `PHOTO_FORMATS`, since
    whoever uploads a file chooses what decodes it.
    """
    Image.init()  # Pillow registers most formats only when it is asked for
    built_with = tuple(each for each in PHOTO_FORMATS if each in Image.OPEN)
    return _read(io.BytesIO(content), name, not content, max_megapixels, built_with)


def _read(
    source: Path | io.BytesIO, name: str, empty: bool, max_megapixels: float, formats: tuple[str, ...] | None = None
) -> Photo:
    if empty:
        raise NotAPhotoError(f"{name} is empty: export or download the photo again")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # max_megapixels decides
            with Image.open(source, formats=formats) as image:
                _check_size(name, image.size, max_megapixels)
                return _decode(image)
    except UserError:
        raise
    except Image.DecompressionBombError as error:
        raise TooLargeError(f"{name} is larger than {max_megapixels:g} megapixels: scale it down first") from error
    except UnidentifiedImageError as error:
        raise NotAPhotoError(f"{name} is not an image Pillow can read: save it as JPEG or PNG") from error
    except OSError as error:
        if error.errno is not None:
            raise UserError(f"cannot read {name}: {error.strerror or error}") from error
        raise NotAPhotoError(f"{name} is damaged ({error}): export or download the photo again") from error
    except (SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError) as error:
        # What Pillow's decoders raise for broken files, each in its own way.
        raise NotAPhotoError(f"{name} is damaged ({error}): export or download the photo again") from error


def _check_size(name: str, size: tuple[int, int], max_megapixels: float) -> None:
    width, height = size
    if width * height > max_megapixels * 1e6:
        raise TooLargeError(f"{name} is {width}x{height}, over {max_megapixels:g} megapixels: scale it down")
    if min(width, height) < MIN_SIDE:
        raise UserError(f"{name} is {width}x{height}: use a photo of at least {MIN_SIDE} pixels a side")


def _decode(image: Image.Image) -> Photo:
    profile = image.info.get("icc_profile")
    upright = ImageOps.exif_transpose(image)
    # A profile made for ink or grey values means nothing for RGB pixels.
    keeps_profile = isinstance(profile, bytes) and image.mode in ("RGB", "RGBA", "P", "PA")
    transparent = upright.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in upright.info
    if upright.mode.startswith(("I", "F")):
        upright = _eight_bit(upright)
    if not transparent:
        return Photo(np.array(upright.convert("RGB")), profile if keeps_profile else None)
    rgba = upright.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    flat = np.array(Image.alpha_composite(white, rgba).convert("RGB"))
    alpha = np.array(rgba.getchannel("A"))
    return Photo(flat, profile if keeps_profile else None, None if alpha.min() == 255 else alpha)


def _eight_bit(image: Image.Image) -> Image.Image:
    """Integer and float greys to 8 bit: Pillow's own conversion clips at 255 instead of scaling."""
    values = np.asarray(image, np.float64)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    if image.mode.startswith("I;16") or (image.mode == "I" and values.max() > 255):
        values = values / 257.0
    elif image.mode == "F" and values.min() >= 0 and values.max() <= 1:
        values = values * 255.0
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
_JPEG_QUALITY = 95


def save_photo(path: str | Path, pixels: NDArray[np.uint8], icc_profile: bytes | None = None) -> None:
    """pixels (H, W, 3) uint8 RGB, or (H, W) grey, to a PNG or JPEG, by suffix.

    A failure leaves no file and no half of one.
    `UserError` for another suffix or a folder that cannot be written.
    """
    path = Path(path)
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise UserError(f"cannot save {path}: name it .png, .jpg or .jpeg")
    options: dict[str, object] = {"quality": _JPEG_QUALITY, "subsampling": 0} if kind == "JPEG" else {}
    if icc_profile:
        options["icc_profile"] = icc_profile
    # In the same folder, since a rename is atomic only within one file system.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            Image.fromarray(pixels).save(file, kind, **options)
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"cannot save {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)

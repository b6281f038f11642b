"""Photos in and out: any common file to upright 8-bit RGB, and back to disk atomically."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lite_vton.atomic import whole_file
from lite_vton.crop import Crop, paste_back, paste_mask, take_crop, torso_crop, worn_crop
from lite_vton.errors import UserError
from lite_vton.photo_encoding import encode_picture, written_format
from lite_vton.photo_file import MIN_SIDE, PHOTO_FORMATS, NotAPhotoError, TooLargeError, open_picture

__all__ = [
    "MIN_SIDE",
    "PHOTO_FORMATS",
    "Crop",
    "NotAPhotoError",
    "Photo",
    "TooLargeError",
    "load_mask",
    "load_photo",
    "paste_back",
    "paste_mask",
    "read_mask",
    "read_photo",
    "save_photo",
    "take_crop",
    "torso_crop",
    "worn_crop",
]


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
    """The photo in a file of any of `PHOTO_FORMATS`, turned upright by its EXIF orientation.

    `UserError` as `open_picture`.
    """
    return _decode(open_picture(Path(path), str(path), max_megapixels))


def read_photo(content: bytes, name: str, max_megapixels: float = 50) -> Photo:
    """The photo in a file's bytes, which `name` calls in errors; otherwise as `load_photo`."""
    return _decode(open_picture(content, name, max_megapixels))


def load_mask(path: str | Path, max_megapixels: float = 50) -> NDArray[np.uint8]:
    """The mask (H, W) that a picture's file holds: how bright each pixel is, 255 = marked.

    What is transparent is not marked, whatever its colour: brightness counts by its alpha. Turned upright as photos
    are. `UserError` as `open_picture`.
    """
    return _marked(open_picture(Path(path), str(path), max_megapixels))


def read_mask(content: bytes, name: str, max_megapixels: float = 50) -> NDArray[np.uint8]:
    """The mask in a file's bytes, which `name` calls in errors; otherwise as `load_mask`."""
    return _marked(open_picture(content, name, max_megapixels))


def _marked(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith(("I", "F")):
        image = _eight_bit(image)
    rgba = np.asarray(image.convert("RGBA"), np.uint16)
    return np.asarray(rgba[..., :3].max(axis=2) * rgba[..., 3] // 255, np.uint8)


def _decode(image: Image.Image) -> Photo:
    profile = image.info.get("icc_profile")
    # A profile made for ink or grey values means nothing for RGB pixels.
    keeps_profile = isinstance(profile, bytes) and image.mode in ("RGB", "RGBA", "P", "PA")
    transparent = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    if image.mode.startswith(("I", "F")):
        image = _eight_bit(image)
    if not transparent:
        return Photo(np.array(image.convert("RGB")), profile if keeps_profile else None)
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    flat = np.array(Image.alpha_composite(white, rgba).convert("RGB"))
    alpha = np.array(rgba.getchannel("A"))
    return Photo(flat, profile if keeps_profile else None, None if alpha.min() == 255 else alpha)


def _eight_bit(image: Image.Image) -> Image.Image:
    """Integer and float greys to 8 bit: Pillow's own conversion clips at 255 instead of scaling."""
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        brightest = _brightest(image)
        scale = np.rint(np.arange(65536) * (255 / brightest)).clip(0, 255).astype(np.uint8)
        return Image.fromarray(scale[values])
    finite = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    if image.mode == "I" and finite.max() > 255:
        finite /= 257
    elif image.mode == "F" and finite.min() >= 0 and finite.max() <= 1:
        finite *= 255
    return Image.fromarray(np.clip(np.rint(finite), 0, 255).astype(np.uint8))


def _brightest(image: Image.Image) -> int:
    """What white is among 16-bit greys: Pillow reads TIFFs of 12 bits as they are."""
    bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (16,))
    return 4095 if bits == (12,) else 65535


_BITS_PER_SAMPLE = 258  # TIFF's tag


def save_photo(path: str | Path, pixels: NDArray[np.uint8], icc_profile: bytes | None = None) -> None:
    """pixels (H, W, 3) uint8 RGB, (H, W, 4) RGBA or (H, W) grey, to a PNG, JPEG or WebP, by suffix.

    JPEG has no transparency: there the picture is on white. A failure leaves no file and no half of one.
    `UserError` for another suffix, a picture too large for its format, or a folder that cannot be written.
    """
    path = Path(path)
    chosen = written_format(path, *pixels.shape[:2])
    if not path.parent.is_dir():
        raise UserError(f"cannot save {path}: there is no folder {path.parent}")
    with whole_file(path) as draft:
        try:
            with draft.open("wb") as file:
                encode_picture(file, pixels, chosen, icc_profile)
        except OSError as error:
            raise UserError(f"cannot save {path}: {error.strerror or error}") from error

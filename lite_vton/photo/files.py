"""Photos in and out: any common file to upright 8-bit RGB, and back to disk atomically."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lite_vton.atomic import whole_file
from lite_vton.errors import UserError
from lite_vton.photo.colour_profiles import ColourSpace, colour_space, in_srgb, is_rgb
from lite_vton.photo.crop import Crop, photo_part, take_crop
from lite_vton.photo.encoding import encode_picture, written_format
from lite_vton.photo.reading import MIN_SIDE, PHOTO_FORMATS, NotAPhotoError, TooLargeError, open_picture
from lite_vton.photo.transparency import from_white, over_white

__all__ = [
    "MIN_SIDE",
    "PHOTO_FORMATS",
    "NotAPhotoError",
    "Photo",
    "TooLargeError",
    "load_mask",
    "load_photo",
    "read_mask",
    "read_photo",
    "save_photo",
]


@dataclass(frozen=True)
class Photo:
    """A picture, upright.

    `own` (H, W, 3) uint8 RGB, as the file has them: in the space of its profile, and beneath what is transparent.
    `icc_profile` the file's colour profile if it is a sound RGB one, to be saved with the result.
    `alpha` (H, W) uint8, 255 = opaque; None where nothing is transparent.
    `name` is what errors call it, its file if it has one.
    """

    own: NDArray[np.uint8]
    icc_profile: bytes | None = None
    alpha: NDArray[np.uint8] | None = None
    name: str = "the photo"

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 in sRGB, on white where the picture is transparent: what the networks' inputs are made of."""
        return self._shown(self.own, self.alpha)

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.own.shape[0])

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.own.shape[1])

    @property
    def space(self) -> ColourSpace | None:
        """What `own` is in; None for sRGB."""
        return colour_space(self.icc_profile)

    def taken(self, crop: Crop, height: int, width: int) -> NDArray[np.uint8]:
        """`take_crop` of `pixels`, of which no more is made than that crop."""
        if "pixels" in self.__dict__ or (self.alpha is None and self.space is None):
            return take_crop(self.pixels, crop, height, width)
        inside = photo_part(crop, self.height, self.width)
        alpha = None if self.alpha is None else self.alpha[inside]
        seen = self.own[inside] if alpha is None else over_white(self.own[inside], alpha)
        moved = Crop(crop.left - inside[1].start, crop.top - inside[0].start, crop.width, crop.height)
        return self._shown(take_crop(seen, moved, height, width), None)

    def smaller(self, side: int) -> Photo:
        """In sRGB, with a longer side of at most `side` pixels; itself if it is that small and in sRGB already."""
        import cv2

        scale = side / max(self.height, self.width)
        if scale >= 1:
            return self if self.space is None else self._made(self._shown(self.own, None), self.alpha)
        size = max(1, round(self.width * scale)), max(1, round(self.height * scale))
        own, alpha = self.own, self.alpha
        if alpha is not None:
            own = over_white(own, alpha)  # colours beneath what is transparent must not mix in
            alpha = np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.uint8)
        small = np.asarray(cv2.resize(own, size, interpolation=cv2.INTER_AREA), np.uint8)
        shown = self._shown(small, None)
        return self._made(shown if alpha is None else from_white(shown, alpha), alpha)

    def _made(self, shown: NDArray[np.uint8], alpha: NDArray[np.uint8] | None) -> Photo:
        return Photo(shown, None, alpha, self.name)

    def _shown(self, own: NDArray[np.uint8], alpha: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
        seen = own if alpha is None else over_white(own, alpha)
        return seen if self.space is None else self.space.to_srgb(seen)


def load_photo(path: str | Path, max_megapixels: float = 50) -> Photo:
    """The photo in a file of any of `PHOTO_FORMATS`, turned upright by its EXIF orientation.

    `UserError` as `open_picture`.
    """
    return _decode(open_picture(Path(path), str(path), max_megapixels), str(path))


def read_photo(content: bytes, name: str, max_megapixels: float = 50) -> Photo:
    """The photo in a file's bytes, which `name` calls in errors; otherwise as `load_photo`."""
    return _decode(open_picture(content, name, max_megapixels), name)


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


def _decode(image: Image.Image, name: str) -> Photo:
    profile = image.info.get("icc_profile")
    profile = profile if isinstance(profile, bytes) else None
    transparent = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    if image.mode.startswith(("I", "F")):
        image, transparent = _eight_bit(image), False
    alpha = None
    if transparent:
        image = image.convert("LA" if image.mode == "LA" else "RGBA")
        alpha = np.asarray(image.getchannel("A"))
        alpha = None if alpha.min() == 255 else alpha
        image = image.convert("L" if image.mode == "LA" else "RGB")
    if image.mode in ("L", "CMYK", "LAB"):
        return Photo(np.asarray(in_srgb(image, profile)), None, alpha, name)
    own = np.asarray(image.convert("RGB"))
    return Photo(own, profile if profile is not None and is_rgb(profile) else None, alpha, name)


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

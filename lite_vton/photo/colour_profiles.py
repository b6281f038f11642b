"""Colours between a picture's own space, as its ICC profile tells it, and sRGB, which everything is computed in."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

__all__ = ["ColourSpace", "colour_space", "in_srgb"]

_Profile = ImageCms.ImageCmsProfile
_BROKEN = (OSError, ValueError, TypeError, ImageCms.PyCMSError)
"""What Pillow raises for a profile that LittleCMS cannot use."""

_SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab "}
"""ICC's names of the spaces that a profile may be of, by Pillow's mode."""


@dataclass(frozen=True)
class ColourSpace:
    """An RGB space other than sRGB, and the way to it and back. Both take and give pixels (H, W, 3) uint8."""

    forth: ImageCms.ImageCmsTransform
    back: ImageCms.ImageCmsTransform

    def to_srgb(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """From this space; what sRGB cannot hold becomes the nearest that it can."""
        return _applied(self.forth, pixels)

    def from_srgb(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """To this space."""
        return _applied(self.back, pixels)


@lru_cache(maxsize=16)
def colour_space(profile: bytes | None) -> ColourSpace | None:
    """The space of an RGB profile; None for sRGB, and for a profile that is broken, of ink or grey, or of one way."""
    if profile is None or not is_rgb(profile):
        return None
    own, srgb = _opened(profile), _srgb()
    assert own is not None
    try:
        space = ColourSpace(_transform(own, srgb, "RGB"), _transform(srgb, own, "RGB"))
    except _BROKEN:
        return None
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    return None if np.abs(space.to_srgb(grid).astype(int) - grid).max() <= 1 else space


def is_rgb(profile: bytes) -> bool:
    """Whether a profile is sound and of an RGB space."""
    opened = _opened(profile)
    return opened is not None and opened.profile.xcolor_space == _SPACES["RGB"]


def in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """A grey, CMYK or Lab picture as RGB in sRGB, by its profile if that is sound and of its mode."""
    own = _opened(profile) if profile else None
    if own is None or own.profile.xcolor_space != _SPACES.get(image.mode):
        if image.mode != "LAB":
            return image.convert("RGB")
        own = _Profile(ImageCms.createProfile("LAB"))
    try:
        made = ImageCms.applyTransform(image, _transform(own, _srgb(), image.mode))
    except _BROKEN:
        return image.convert("RGB")
    assert made is not None
    return made


def _opened(profile: bytes) -> _Profile | None:
    try:
        return _Profile(io.BytesIO(profile))
    except _BROKEN:
        return None


@cache
def _srgb() -> _Profile:
    return _Profile(ImageCms.createProfile("sRGB"))


def _transform(source: _Profile, target: _Profile, mode: str) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        source,
        target,
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def _applied(transform: ImageCms.ImageCmsTransform, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    made = ImageCms.applyTransform(Image.fromarray(np.ascontiguousarray(pixels)), transform)
    assert made is not None
    return np.asarray(made, np.uint8)

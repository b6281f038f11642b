"""Reading a parse: a picture whose values are labels of what each pixel shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton.photo.reading import NotAPhotoError, open_picture

__all__ = ["parse_of", "read_parse"]

_LOSSY = ("JPEG", "WEBP", "AVIF")
_MODES = ("1", "L", "P", "I", "I;16", "I;16L", "I;16B")


def read_parse(path: Path) -> NDArray[np.uint8]:
    """Labels (H, W) uint8 of an indexed or grey picture. `UserError` for one that is missing, damaged or in colour."""
    return _labels(path, str(path))


def parse_of(content: bytes, name: str, max_megapixels: float = 50) -> NDArray[np.uint8]:
    """As `read_parse`, from the bytes of a file, which `name` calls in errors; a larger one is never decoded."""
    return _labels(content, name, max_megapixels)


def _labels(source: Path | bytes, name: str, max_megapixels: float = 50) -> NDArray[np.uint8]:
    try:
        image = open_picture(source, name, max_megapixels)
    except NotAPhotoError as error:
        raise NotAPhotoError(f"cannot read {name}: it should be a picture of labels, one a pixel") from error
    if image.format in _LOSSY:
        raise UserError(f"{name} is a {image.format}, which changes labels: give the indexed PNG that the parser wrote")
    labels = np.asarray(image)
    if labels.ndim != 2 or image.mode not in _MODES:
        raise UserError(f"{name} holds colours, not labels: give the indexed PNG that the parser wrote")
    if labels.max() > 255 or labels.min() < 0:
        raise UserError(f"{name} holds labels beyond 255: give the indexed PNG that the parser wrote")
    return labels.astype(np.uint8)

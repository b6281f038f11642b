"""Reading a parse: a picture whose values are labels of what each pixel shows."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from lite_vton.errors import UserError

__all__ = ["parse_of", "read_parse"]


def read_parse(path: Path) -> NDArray[np.uint8]:
    """Labels (H, W) uint8 of an indexed or grey picture. `UserError` for one that is missing, damaged or in colour."""
    return _labels(path, str(path), None)


def parse_of(content: bytes, name: str, max_megapixels: float = 50) -> NDArray[np.uint8]:
    """As `read_parse`, from the bytes of a PNG, which `name` calls in errors; a larger one is never decoded."""
    return _labels(io.BytesIO(content), name, ("PNG",), max_megapixels)


def _labels(
    source: Path | io.BytesIO, name: str, formats: tuple[str, ...] | None, max_megapixels: float | None = None
) -> NDArray[np.uint8]:
    try:
        with Image.open(source, formats=formats) as image:
            if max_megapixels is not None and image.width * image.height > max_megapixels * 1e6:
                raise UserError(f"{name} is {image.width}x{image.height}, over {max_megapixels:g} megapixels")
            labels = np.asarray(image)
    except UserError:
        raise
    except (OSError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError, ValueError) as error:
        raise UserError(f"cannot read {name}: it should be a picture of labels, one a pixel") from error
    if labels.ndim != 2:
        raise UserError(f"{name} holds colours, not labels: give the indexed PNG that the parser wrote")
    return labels.astype(np.uint8)

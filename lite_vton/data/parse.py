"""Reading a parse: a picture whose values are labels of what each pixel shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from lite_vton.errors import UserError

__all__ = ["read_parse"]


def read_parse(path: Path) -> NDArray[np.uint8]:
    """Labels (H, W) uint8 of an indexed or grey picture. `UserError` for one that is missing, damaged or in colour."""
    try:
        with Image.open(path) as image:
            labels = np.asarray(image)
    except (OSError, SyntaxError, UnidentifiedImageError) as error:
        raise UserError(f"cannot read {path}: it should be a picture of labels, one a pixel") from error
    if labels.ndim != 2:
        raise UserError(f"{path} holds colours, not labels: give the indexed PNG that the parser wrote")
    return labels.astype(np.uint8)

"""TIFFs in colour of 12 or 32 bits a channel, which Pillow has no modes for: decoded by OpenCV."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

__all__ = ["read_deep_tiff"]

_WIDTH, _HEIGHT, _PROFILE = 256, 257, 34675


def read_deep_tiff(content: bytes, check_size: Callable[[tuple[int, int]], None]) -> Image.Image:
    """The picture as 8-bit RGB, upright by its orientation, which OpenCV sees to; its profile is in `info`.

    `check_size` raises for a (width, height) that is not to be decoded; it is called before.
    `ValueError` where OpenCV cannot decode it either; whatever Pillow raises for a broken directory.
    """
    import cv2

    directory = ImageFileDirectory_v2(content[:8])
    file = io.BytesIO(content)
    file.seek(directory.next)
    directory.load(file)
    check_size((int(directory[_WIDTH]), int(directory[_HEIGHT])))
    values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim != 3 or values.shape[2] < 3:
        raise ValueError("no reader for its kind of TIFF")
    colours = values[..., 2::-1]
    if colours.dtype.kind == "f":
        scaled = np.nan_to_num(colours, nan=0.0, posinf=0.0, neginf=0.0) * (255.0 if np.nanmax(colours) <= 1 else 1.0)
    else:
        scaled = colours * (255.0 / np.iinfo(str(colours.dtype)).max)
    image = Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))
    if isinstance(directory.get(_PROFILE), bytes):
        image.info["icc_profile"] = directory[_PROFILE]
    return image

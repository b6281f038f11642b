"""Pictures of other things, for what is behind somebody, in front of them, or in their place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lite_vton.errors import UserError
from lite_vton.photo.files import load_photo
from lite_vton.photo.reading import is_photo_name

__all__ = ["Backdrops"]


@dataclass(frozen=True)
class Backdrops:
    """The picture files of a folder and the folders in it; read when they are drawn, so cheap to hand on."""

    files: tuple[Path, ...]

    @classmethod
    def within(cls, folder: Path) -> Backdrops:
        """In the order of their names. `UserError` for a folder without photos."""
        files = tuple(sorted(file for file in folder.rglob("*") if is_photo_name(file.name)))
        if not files:
            raise UserError(f"{folder} holds no pictures of garments: name a folder of photos")
        return cls(files)

    def draw(self, rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
        """A part of one of them, as likely mirrored as not, at (height, width). `UserError` for one that is broken."""
        picture = self.picture(int(rng.integers(len(self.files))), round(1.4 * height), round(1.4 * width))
        top, left = rng.integers(picture.shape[0] - height + 1), rng.integers(picture.shape[1] - width + 1)
        part = picture[top : top + height, left : left + width]
        return np.ascontiguousarray(part[:, ::-1] if rng.random() < 0.5 else part)

    def picture(self, index: int, height: int, width: int) -> NDArray[np.uint8]:
        """The middle of file `index` (height, width, 3). `UserError` where it is broken."""
        file = self.files[index]
        picture = Image.fromarray(load_photo(file).pixels)
        return np.asarray(ImageOps.fit(picture, (width, height), Image.Resampling.BICUBIC))

"""What the demo models are trained on, and where on this machine it is: drawn pairs, photographs, garments."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lite_vton.data.viton_hd import VitonHD
from lite_vton.errors import UserError
from lite_vton.presets import ModelConfig
from training.mix.photographs import varied_pictures
from training.pictures import PicturePairs
from training.stages import progress_bars

__all__ = ["Sources", "garment_pictures", "photo_pictures"]

_PICTURES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Sources:
    """Folders beside the drawn pairs, which need none; None for what is not there.

    `photographs` in VITON-HD's layout with parses, as `lite-vton data ccp` writes it: its train split. `garments` any
    folder of pictures, for the autoencoder alone.
    """

    photographs: Path | None = None
    garments: Path | None = None


def photo_pictures(root: Path, variants: int, seed: int, config: ModelConfig) -> PicturePairs:
    """`variants` of each photo of `root`'s train split at `config`'s size; see `varied_pictures`."""
    photographs = VitonHD(root, "train", height=config.height, width=config.width, mask=config.mask)
    with progress_bars() as progress:
        task = progress.add_task("varying photographs", total=len(photographs) * variants)
        return varied_pictures(
            photographs,
            variants,
            seed,
            workers=os.cpu_count() or 1,
            progress=lambda done: progress.update(task, completed=done),
        )


def garment_pictures(folder: Path, height: int, width: int) -> NDArray[np.uint8]:
    """(N, height, width, 3): the middle of every picture in `folder` and the folders in it, in the order of names.

    `UserError` for a folder without pictures, or with one that cannot be read.
    """
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in _PICTURES)
    if not files:
        raise UserError(f"{folder} holds no pictures of garments: name a folder of JPEG or PNG files")
    return np.stack([_middle(file, height, width) for file in files])


def _middle(file: Path, height: int, width: int) -> NDArray[np.uint8]:
    try:
        with Image.open(file) as image:
            return np.asarray(ImageOps.fit(image.convert("RGB"), (width, height), Image.Resampling.LANCZOS))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"cannot read {file}: take it out of the folder, or copy it again") from error

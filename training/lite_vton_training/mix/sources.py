"""What the demo models are trained on, and where on this machine it is: drawn pairs, photographs, garments."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lite_vton.data.viton_hd import VitonHD
from lite_vton.presets.config import ModelConfig
from lite_vton_training.dataset.pictures import PicturePairs
from lite_vton_training.loop.stages import progress_bars
from lite_vton_training.mix.backdrops import Backdrops
from lite_vton_training.mix.photographs import varied_pictures

__all__ = ["Sources", "garment_pictures", "photo_pictures"]


@dataclass(frozen=True)
class Sources:
    """Folders beside the drawn pairs, which need none; None for what is not there.

    `photographs` in VITON-HD's layout with parses, as `lite-vton data ccp` writes it: its train split. `garments` any
    folder of pictures: what is behind people and over them, pairs to be mended, and surfaces for the autoencoder.
    """

    photographs: Path | None = None
    garments: Path | None = None

    def backdrops(self) -> Backdrops | None:
        """The garments' pictures. `UserError` where their folder holds none."""
        return None if self.garments is None else Backdrops.within(self.garments)


def photo_pictures(
    root: Path, variants: int, seed: int, config: ModelConfig, backdrops: Backdrops | None = None
) -> PicturePairs:
    """`variants` of each photo of `root`'s train split at `config`'s size; see `varied_pictures`."""
    photographs = VitonHD(root, "train", height=config.height, width=config.width, mask=config.mask)
    with progress_bars() as progress:
        task = progress.add_task("varying photographs", total=len(photographs) * variants)
        return varied_pictures(
            photographs,
            variants,
            seed,
            backdrops,
            workers=os.cpu_count() or 1,
            progress=lambda done: progress.update(task, completed=done),
        )


def garment_pictures(garments: Backdrops, height: int, width: int) -> NDArray[np.uint8]:
    """(N, height, width, 3): the middle of every one. `UserError` for one that is broken."""
    return np.stack([garments.picture(index, height, width) for index in range(len(garments.files))])

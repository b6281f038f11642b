"""Every picture on the way from two photos to a result, for whoever wants to see where it went wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lite_vton.atomic import whole_folder
from lite_vton.tryon.inputs import to_picture

if TYPE_CHECKING:
    from lite_vton.tryon.prepare import Prepared

__all__ = ["pictures_on_the_way", "save_pictures"]

_Picture = NDArray[np.uint8]


def pictures_on_the_way(prepared: Prepared) -> dict[str, _Picture]:
    """(h, w, 3) uint8 RGB by the name of a file, in the order they were made."""
    from lite_vton.garment.cutout import on_white
    from lite_vton.garment.landmarks import landmarks_picture

    shown = {"garment": on_white(prepared.garment)}
    if prepared.category != "lower":  # trousers have no collar
        shown["landmarks"] = landmarks_picture(prepared.garment)
    shown |= {"person": prepared.person_crop, "pose": prepared.skeleton}
    if prepared.silhouette is not None:
        shown["silhouette"] = _grey(prepared.silhouette)
    return {
        **shown,
        "mask": _grey(prepared.mask),
        "warp": prepared.warped,
        "masked-person": to_picture(prepared.inputs.masked_person),
    }


def save_pictures(folder: Path, pictures: Mapping[str, _Picture]) -> None:
    """As `NAME.png` in `folder`, which appears whole; it may replace one of such pictures alone.

    `UserError` where it cannot be written, and for a folder with anything else in it.
    """
    from lite_vton.photo.files import save_photo

    with whole_folder(folder, _holds_pictures_alone) as draft:
        for name, picture in pictures.items():
            save_photo(draft / f"{name}.png", picture)


_NAMES = re.compile(r"(garment|landmarks|person|pose|silhouette|mask|warp|masked-person|result|step-\d+-t\d+)\.png")


def _holds_pictures_alone(folder: Path) -> bool:
    return folder.is_dir() and all(_NAMES.fullmatch(file.name) for file in folder.iterdir())


def _grey(values: NDArray[np.float32]) -> _Picture:
    return np.repeat(np.rint(255 * values).astype(np.uint8)[..., None], 3, axis=2)

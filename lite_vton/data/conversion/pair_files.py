"""Putting one converted pair into its dataset: the garment as the shop would show it, and all files at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lite_vton.atomic import whole_files
from lite_vton.data.layout import CUTS, HOLES, part_file
from lite_vton.data.pair import Pair
from lite_vton.data.writer import make_folders, write_pair
from lite_vton.garment.cut import Cut
from lite_vton.garment.cut_file import save_cut
from lite_vton.garment.cutout import Cutout

__all__ = ["ShopPicture", "place_pair", "shop_picture"]

_MARGIN = 0.05  # of each side


@dataclass(frozen=True)
class ShopPicture:
    """`cloth` (H, W, 3) uint8 on white; `mask` the garment, `holes` what of it is filled, (H, W) uint8 in {0, 255}.

    `cut` in pixels of it, where it is known.
    """

    cloth: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    holes: NDArray[np.uint8]
    cut: Cut | None


def shop_picture(cutout: Cutout, hidden: NDArray[np.bool_], height: int, width: int) -> ShopPicture:
    """The garment in the middle of a white picture, as large as it fits; `hidden` (h, w) is where it is filled."""
    import cv2

    rows, columns = (np.flatnonzero((cutout.mask > 0.5).any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    mask = cutout.mask[box]
    scale = min((1 - 2 * _MARGIN) * height / mask.shape[0], (1 - 2 * _MARGIN) * width / mask.shape[1])
    size = max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC

    def fitted(part: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(np.clip(cv2.resize(part, size, interpolation=method), 0, 255), np.float32)

    soft = fitted(mask.astype(np.float32))
    whole = np.full((height, width, 3), 255, np.uint8)
    drawn, holes = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    there = slice(top, top + size[1]), slice(left, left + size[0])
    alpha = np.clip(soft, 0, 1)[..., None]
    whole[there] = np.rint(fitted(cutout.pixels[box].astype(np.float32)) * alpha + 255 * (1 - alpha))
    drawn[there] = np.where(soft > 0.5, 255, 0)
    holes[there] = np.where((fitted(hidden[box].astype(np.float32)) > 0.5) & (soft > 0.5), 255, 0)
    if cutout.cut is None:
        return ShopPicture(whole, drawn, holes, None)
    # What was trimmed off, and then the margin.
    cut = cutout.cut.moved(columns[0], rows[0], scale).moved(-left, -top)
    return ShopPicture(whole, drawn, holes, cut)


def place_pair(split_folder: Path, picture: str, pair: Pair, holes: NDArray[np.uint8], cut: Cut | None = None) -> None:
    """All files of `pair` under the name `picture`, its `holes` (H, W) uint8 and `cut`, whole or not at all.

    Killed while they take their places, a run has not noted the photo as done, and does it again.
    """
    with whole_files(split_folder.parent, f"{split_folder.name}-{picture}") as drafts:
        draft = drafts / split_folder.name
        make_folders(draft)
        (draft / HOLES[0]).mkdir()
        write_pair(draft, picture, pair)
        Image.fromarray(holes).save(part_file(draft, "holes", picture))
        if cut is not None:
            (draft / CUTS[0]).mkdir()
            save_cut(part_file(draft, "cut", picture), cut)

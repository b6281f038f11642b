"""A folder of pairs, whichever dataset it is."""

from __future__ import annotations

from pathlib import Path

from lite_vton.atomic import complete
from lite_vton.data.dress_code import CATEGORIES, DressCode
from lite_vton.data.sample import PairFolder, Split
from lite_vton.data.viton_hd import VitonHD
from lite_vton.errors import UserError
from lite_vton.presets.config import MaskKind

__all__ = ["open_pairs"]


def open_pairs(
    root: str | Path,
    split: Split = "train",
    paired: bool = True,
    height: int = 256,
    width: int = 192,
    category: str | None = None,
    mask: MaskKind = "improved",
) -> PairFolder:
    """DressCode where `root` holds one of its category folders, else VITON-HD.

    `category` picks one of DressCode's (`upper_body`, `dresses`), `mask` what is to be repainted.
    `UserError` as the readers raise it.
    """
    root = Path(root)
    complete(root)
    if any((root / name).is_dir() for name in CATEGORIES):
        return DressCode(root, split, paired, height, width, None if category is None else (category,), mask)
    if category is not None:
        raise UserError(f"{root} has no category {category!r}: only DressCode's folders are sorted by category")
    return VitonHD(root, split, paired, height, width, mask)

"""Arrays that a recipe keeps in a file of its own between two starts."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lite_vton.bundle import load_arrays
from lite_vton.errors import UserError

__all__ = ["MEND", "kept_arrays", "kept_pictures"]

MEND = "delete it, and the same command makes it again"

_MOST_BYTES = 64 << 30
"""Pictures of 100,000 drawn pairs have less."""


def kept_arrays(file: Path, names: Collection[str]) -> dict[str, NDArray[Any]]:
    """The arrays called `names` of an npz file. `UserError` where it is damaged or holds others."""
    arrays = load_arrays(file, mend=MEND, most_bytes=_MOST_BYTES)
    if arrays.keys() != set(names):
        raise UserError(f"{file} holds {', '.join(sorted(arrays)) or 'nothing'}, not {', '.join(names)}: {MEND}")
    return arrays


def kept_pictures(file: Path) -> NDArray[Any]:
    """The array `pictures`, (N, H, W, 3) uint8, of an npz file. Raises as `kept_arrays`."""
    pictures = kept_arrays(file, ["pictures"])["pictures"]
    if pictures.dtype != "uint8" or pictures.ndim != 4 or pictures.shape[3] != 3:
        raise UserError(f"{file} does not hold pictures: {MEND}")
    return pictures

"""Some pairs of a converted dataset, to look at: the photo, its parse, the garment laid flat, and the same put back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lite_vton.data.conversion.outcome import Outcome
from lite_vton.data.layout import part_file
from lite_vton.data.pair_list import Pair
from lite_vton.data.sample import resized
from lite_vton.data.viton_hd import VitonHD
from lite_vton.person.parse import read_parse
from lite_vton.person.parse_labels import PALETTE
from lite_vton.photo.files import load_photo
from lite_vton.tryon.inputs import to_picture

__all__ = ["HEADINGS", "Row", "sheet_rows"]

HEADINGS = ("photo", "parse", "laid flat, holes red", "put back")
_HOLE = (255, 0, 0)


@dataclass(frozen=True)
class Row:
    """`pictures` (H, W, 3) uint8 RGB, one under each of `HEADINGS`, of the photo `name`."""

    name: str
    pictures: tuple[NDArray[np.uint8], ...]


def sheet_rows(folder: Path, outcomes: Sequence[Outcome], most: int = 40, height: int = 256) -> list[Row]:
    """At most that many of the converted photos, evenly from first to last, `height` pixels high."""
    used = [outcome for outcome in outcomes if not outcome.reason]
    picked = [used[k] for k in sorted({int(k) for k in np.linspace(0, len(used) - 1, min(most, len(used)))})]
    return [Row(outcome.name, _row(folder, outcome, height, height * 3 // 4)) for outcome in picked]


def _row(folder: Path, outcome: Outcome, height: int, width: int) -> tuple[NDArray[np.uint8], ...]:
    split = folder / outcome.split
    pair = Pair(outcome.picture, outcome.picture)
    reader = VitonHD(folder, "test" if outcome.split == "test" else "train", True, height, width)
    reader.pairs = [pair]
    sample = reader[0]
    person = to_picture(sample.target)
    labels = read_parse(part_file(split, "parse", outcome.picture))
    colours = resized(np.array(PALETTE, np.uint8)[np.minimum(labels, len(PALETTE) - 1)], height, width)
    cloth = load_photo(part_file(split, "cloth", outcome.picture)).pixels.copy()
    holes = part_file(split, "holes", outcome.picture)
    if holes.is_file():
        hidden = load_photo(holes).pixels[..., 0] > 127
        cloth[hidden] = (0.4 * cloth[hidden] + 0.6 * np.array(_HOLE)).astype(np.uint8)
    return (
        person,
        np.asarray((0.5 * person + 0.5 * colours).astype(np.uint8)),
        resized(cloth, height, width),
        to_picture(sample.inputs.masked_person),
    )

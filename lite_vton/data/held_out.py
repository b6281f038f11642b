"""Drawn pairs that no network was trained on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lite_vton.atomic import scratch_folder

if TYPE_CHECKING:
    from lite_vton.data.viton_hd import TryOnSample
    from lite_vton.presets.config import MaskKind

__all__ = ["HELD_OUT_SEED", "held_out_pairs"]

HELD_OUT_SEED = 90_210
"""Of the drawings. The recipes train on other seeds, so these people and garments are new to every network."""

_SMALLEST = 256  # height of a drawing, pixels
_WORTH_PROCESSES = 16  # pairs from which starting processes costs less than it saves


@contextmanager
def held_out_pairs(
    pairs: int,
    height: int,
    width: int,
    *,
    paired: bool = True,
    mask: MaskKind = "improved",
    on_progress: Callable[[int], None] | None = None,
) -> Iterator[Sequence[TryOnSample]]:
    """`pairs` drawn pairs of (height, width), in a temporary folder that lasts as long as the block.

    Unpaired, each person is given another one's garment. `mask` is what is to be repainted.
    `on_progress` is told how many are drawn.
    """
    from lite_vton.data.drawn.dataset import synthesize
    from lite_vton.data.viton_hd import VitonHD

    # Small models get the same drawings, scaled down by the reader as a photo would be.
    scale = max(1, -(-_SMALLEST // height))
    drawn_height, drawn_width = height * scale, width * scale
    with scratch_folder() as temporary:
        folder = temporary / "held-out"
        synthesize(
            folder,
            pairs,
            HELD_OUT_SEED,
            height=drawn_height,
            width=drawn_width,
            test_share=1.0,
            workers=os.cpu_count() or 1 if pairs > _WORTH_PROCESSES else 1,
            progress=on_progress,
        )
        yield VitonHD(folder, "test", paired, height, width, mask)

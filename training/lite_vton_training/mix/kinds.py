"""The pairs of a recipe by their kind, and what of them each of its stages is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lite_vton.model.autoencoder import Autoencoder
from lite_vton.presets.config import ModelConfig
from lite_vton_training.dataset.drawn import drawn_pictures
from lite_vton_training.dataset.latents import LatentPairs, encode_pairs, joined
from lite_vton_training.dataset.pictures import PicturePairs
from lite_vton_training.mix.photographs import mended_pictures
from lite_vton_training.mix.sources import Sources, garment_pictures, photo_pictures

__all__ = ["Amounts", "Kinds", "encode_kinds", "pictures_by_kind", "shown_to_autoencoder"]

Kinds = Mapping[str, PicturePairs]
_MENDED = "mended"


@dataclass(frozen=True)
class Amounts:
    """How many pairs are drawn, made of each photo, and made of each garment's picture; `seed` of them all."""

    drawn: int
    variants: int
    mended: int
    seed: int


def pictures_by_kind(folder: Path, amounts: Amounts, sources: Sources, config: ModelConfig) -> Kinds:
    """Photographs first, where there are any; the drawings are kept in `folder`."""
    kinds, backdrops, seed = {}, sources.backdrops(), amounts.seed
    if sources.photographs is not None:
        kinds["photographs"] = photo_pictures(sources.photographs, amounts.variants, seed, config, backdrops)
    if backdrops is not None:
        kinds[_MENDED] = mended_pictures(backdrops, amounts.mended, seed, config.height, config.width)
    kinds["drawn"] = drawn_pictures(folder, amounts.drawn, seed, config)
    return kinds


def shown_to_autoencoder(kinds: Kinds, sources: Sources, config: ModelConfig) -> Iterator[NDArray[np.uint8]]:
    """People, a third as many composites, whose grey holes it will meet, and each garment's picture once."""
    for kind, pictures in kinds.items():
        if kind != _MENDED:
            yield from pictures.person
            yield from pictures.masked_person[::3]
    backdrops = sources.backdrops()
    if backdrops is not None:
        yield from garment_pictures(backdrops, config.height, config.width)


def encode_kinds(kinds: Kinds, autoencoder: Autoencoder, scale: float) -> LatentPairs:
    """All pairs, in the order of their kinds."""
    return joined([encode_pairs(pictures, autoencoder, scale) for pictures in kinds.values()])

"""Drawn pairs as pictures: drawn and read once, then kept in a file, which a later start takes instead."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np

from lite_vton.atomic import whole_file
from lite_vton.data.drawn.dataset import synthesize
from lite_vton.data.held_out import held_out_pairs
from lite_vton.data.viton_hd import VitonHD
from lite_vton.errors import UserError
from lite_vton.garment.cutout import CLIP_SIDE
from lite_vton.presets.config import ModelConfig
from lite_vton_training.dataset.pictures import PicturePairs, read_pictures
from lite_vton_training.loop.kept_arrays import MEND, kept_arrays
from lite_vton_training.loop.stages import progress_bars

__all__ = ["drawn_pictures", "held_out_pictures"]


def drawn_pictures(folder: Path, pairs: int, seed: int, config: ModelConfig, *, garments: bool = False) -> PicturePairs:
    """`pairs` to train on, at `config`'s size and with its masks; `garments` as for `read_pictures`.

    The drawings stay in `folder/data`, the pictures in a file a kind beside it. What is there already is taken as it
    is: a folder belongs to one number of pairs and one seed.
    """

    def make() -> PicturePairs:
        data, workers = folder / "data", os.cpu_count() or 1
        with progress_bars() as progress:
            if not data.is_dir():
                task = progress.add_task("drawing pairs", total=pairs)
                synthesize(
                    data,
                    pairs,
                    seed,
                    test_share=0.0,
                    workers=workers,
                    progress=lambda done: progress.update(task, completed=done),
                )
            samples = VitonHD(data, "train", height=config.height, width=config.width, mask=config.mask)
            task = progress.add_task("reading pairs", total=len(samples))
            return read_pictures(
                samples,
                garments=garments,
                workers=workers,
                progress=lambda done: progress.update(task, completed=done),
            )

    return _kept(folder / f"pictures{_kind(config, garments)}.npz", make)


def held_out_pictures(folder: Path, pairs: int, config: ModelConfig, *, garments: bool = False) -> PicturePairs:
    """`pairs` that no recipe trains on (`lite_vton.data.held_out`), kept in `folder` likewise."""

    def make() -> PicturePairs:
        with held_out_pairs(pairs, config.height, config.width, mask=config.mask) as samples:
            return read_pictures(samples, garments=garments, workers=os.cpu_count() or 1)

    return _kept(folder / f"held-out{_kind(config, garments)}.npz", make)


def _kind(config: ModelConfig, garments: bool) -> str:
    return ("" if config.mask == "improved" else f"-{config.mask}") + ("-garments" if garments else "")


def _kept(cache: Path, make: Callable[[], PicturePairs]) -> PicturePairs:
    if cache.is_file():
        return _pairs_in(cache)
    pictures = make()
    with whole_file(cache) as draft:
        np.savez(draft, **vars(pictures))
    return pictures


def _pairs_in(cache: Path) -> PicturePairs:
    arrays = kept_arrays(cache, [field.name for field in fields(PicturePairs)])
    count, size = arrays["person"].shape[:1], arrays["person"].shape[1:3]
    garments = arrays["garment"].shape[:1]
    shapes = dict.fromkeys(("person", "masked_person", "pose"), (*count, *size, 3))
    shapes |= {"mask": (*count, *size), "garment": (*garments, CLIP_SIDE, CLIP_SIDE, 3)}
    fits = len(size) == 2 and garments in ((0,), count)
    if not fits or any(array.shape != shapes[name] or array.dtype != np.uint8 for name, array in arrays.items()):
        raise UserError(f"{cache} does not hold pictures of pairs: {MEND}")
    return PicturePairs(**arrays)

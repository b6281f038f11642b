"""A dataset's folder as training takes it: pictures in memory, or latents on a disk."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.errors import UserError
from lite_vton.presets.config import ModelConfig
from lite_vton.workflows.progress import progress_bar

if TYPE_CHECKING:
    import torch
    from torch import nn

    from lite_vton.data.sample import PairFolder
    from lite_vton.model.autoencoder import Autoencoder
    from lite_vton_training.dataset.latents import Pairs
    from lite_vton_training.dataset.pictures import PicturePairs

__all__ = [
    "AUTOENCODER_PAIRS",
    "TrainingData",
    "encoded",
    "encoded_on_disk",
    "open_training_pairs",
    "read",
    "refuse_no_folder",
    "said_of_pairs",
    "some",
]

AUTOENCODER_PAIRS = 2000
"""Pairs whose pictures an autoencoder is trained on when latents go to a disk: at 256x192, 1.5 GB in memory."""


@dataclass(frozen=True)
class TrainingData:
    """A VITON-HD or DressCode `folder`; `shards` is where its latents are kept, None for in memory.

    With `skip_broken` pairs whose files cannot be used are named and left out; otherwise the first one ends the run.
    """

    folder: Path
    shards: Path | None = None
    skip_broken: bool = False


def refuse_no_folder(data: TrainingData) -> None:
    """A `UserError` where the dataset's folder is not there."""
    if not data.folder.is_dir():
        raise UserError(f"no dataset at {data.folder}: name the folder of VITON-HD or DressCode, or draw pairs")


def open_training_pairs(data: TrainingData, config: ModelConfig, tell: Callable[[str], None]) -> PairFolder:
    """The pairs to train on, unread. `UserError` for a folder without any; `tell` hears which are left out."""
    from lite_vton.data.opening import open_pairs

    samples = open_pairs(data.folder, "train", height=config.height, width=config.width, mask=config.mask)
    if data.skip_broken:
        with progress_bar("checking pairs", len(samples)) as update:
            samples, faults = samples.without_broken(lambda done: update(done, ""))
        for fault in faults:
            tell(f"skipped {fault}")
    if len(samples) == 0:
        raise UserError(f"no training pairs in {data.folder}: draw some (`lite-vton data synthesize -o drawn`)")
    return samples


def some(samples: PairFolder, count: int) -> PairFolder:
    """At most `count` of the pairs, evenly spaced: datasets are sorted by category or person."""
    return samples.part(slice(None, None, -(-len(samples) // count)))


def read(samples: PairFolder, *, garments: bool) -> PicturePairs:
    """All pictures in memory, with the garments for CLIP if asked for."""
    from lite_vton_training.dataset.pictures import read_pictures

    with progress_bar("reading pairs", len(samples)) as update:
        return read_pictures(samples, garments=garments, workers=_cores(), progress=lambda done: update(done, ""))


def encoded(pictures: PicturePairs, autoencoder: Autoencoder, scale: float, tower: nn.Module | None) -> Pairs:
    """Latents in memory, and tokens where there is a CLIP `tower`."""
    from lite_vton_training.dataset.latents import encode_pairs

    with _on_the_device(autoencoder, tower):
        return encode_pairs(pictures, autoencoder, scale, image_encoder=tower)


def encoded_on_disk(
    samples: PairFolder, folder: Path, autoencoder: Autoencoder, scale: float, tower: nn.Module | None
) -> Pairs:
    """Latents in shards in `folder`, those encoded that are not there yet; each process of a run encodes its share.

    Returns once all shards are there.
    """
    from accelerate import Accelerator

    from lite_vton_training.dataset.shards import LatentShards, write_shards

    state = Accelerator()  # as the loop makes one: PartialState alone does not see ACCELERATE_USE_CPU
    share = slice(state.process_index, None, state.num_processes)
    with progress_bar("encoding pairs", -(-len(samples) // state.num_processes)) as update:
        with _on_the_device(autoencoder, tower):
            about = write_shards(
                folder,
                samples,
                autoencoder,
                scale,
                image_encoder=tower,
                share=share,
                workers=max(1, _cores() // state.num_processes),
                progress=lambda done: update(done, ""),
            )
        # A barrier would give up after minutes. One that fails ends the run, whoever launched it sees to that.
        while not all(file.exists() for file in about.files(folder)):
            time.sleep(1)
    return LatentShards(folder, about)


def said_of_pairs(
    samples: PairFolder, autoencoder: Autoencoder, scale: float, tower: nn.Module | None
) -> dict[str, object]:
    """What the pairs that a U-Net is trained on are of, for its run's settings: files of a dataset, and an encoder."""
    from lite_vton_training.dataset.shards import ShardedLatents

    about = asdict(ShardedLatents.of(samples, autoencoder, scale, tower))
    # Scales differ in their last digits where another device computes them.
    return {"pairs": {name: about[name] for name in ("pairs", "names", "height", "width", "autoencoder")}}


@contextmanager
def _on_the_device(*networks: nn.Module | None) -> Iterator[None]:
    """`networks` where this process trains, and back on the CPU afterwards."""
    from accelerate import Accelerator

    device: torch.device = Accelerator().device
    try:
        for network in networks:
            if network is not None:
                network.to(device)
        yield
    finally:
        for network in networks:
            if network is not None:
                network.to("cpu")


def _cores() -> int:
    return os.cpu_count() or 1

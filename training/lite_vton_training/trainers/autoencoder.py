"""Trains the autoencoder on crops of people and of their warped composites, whose grey holes it will meet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional
from torchmetrics.functional.image import structural_similarity_index_measure

from lite_vton.errors import UserError
from lite_vton.model.autoencoder import Autoencoder
from lite_vton.model.autoencoder_tiny import TinyAutoencoder
from lite_vton.presets.config import AutoencoderTinyConfig, ModelConfig
from lite_vton_training.dataset.latents import to_tensor
from lite_vton_training.loop.fit import LoopConfig, OnStep, fit

__all__ = [
    "flat_tiles",
    "latent_scale",
    "principal_tiles",
    "reconstruction_terms",
    "some_pictures",
    "train_autoencoder",
]

STRUCTURE_WEIGHT = 0.3
"""Of the SSIM term, whose size is otherwise several times that of the pixels'."""

_SOME = 256


def train_autoencoder(
    config: ModelConfig,
    pictures: Sequence[NDArray[np.uint8]],
    loop: LoopConfig,
    folder: Path,
    *,
    start: TinyAutoencoder | None = None,
    resume: bool = False,
    on_step: OnStep | None = None,
) -> tuple[TinyAutoencoder, float]:
    """An autoencoder of `config` fitted to N `pictures` (H, W, 3) uint8, and the scale of its latents.

    It goes on from `start`, in place; without one it starts as a principal component analysis of the pictures. A step
    sees `loop.batch_size` crops of half the picture's height and width: more steps for the same work.
    `UserError` for a model with Stable Diffusion's autoencoder or TAESD, which are taken as they are.
    """
    if not isinstance(config.autoencoder, AutoencoderTinyConfig) or not config.autoencoder.shortcut:
        raise UserError(f"the autoencoder of {config.name} is not trained here: give the file of Stable Diffusion's")
    some = some_pictures(pictures)
    autoencoder = _linear(config.autoencoder, some, loop.seed) if start is None else start
    # Crops come channels last from their pictures, and convolutions keep them so: a quarter less time on a CPU.
    autoencoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub has no such form
    height, width = config.height // 2, config.width // 2

    def loss(module: nn.Module, generator: torch.Generator) -> dict[str, torch.Tensor]:
        def draw(end: int) -> list[int]:
            return torch.randint(end, (loop.batch_size,), generator=generator).tolist()

        corners = zip(draw(len(pictures)), draw(height + 1), draw(width + 1), strict=True)
        crops = np.stack([pictures[i][y : y + height, x : x + width] for i, y, x in corners])
        picture = to_tensor(crops, next(module.parameters()).device)
        assert isinstance(module, Autoencoder)
        return reconstruction_terms(module.decode(module.encode(picture)), picture)

    fit(autoencoder, loss, loop, folder, resume=resume, on_step=on_step)
    return autoencoder, latent_scale(autoencoder, some)


def some_pictures(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """A few hundred, evenly taken from all: enough to tell where an autoencoder starts, and its latents' scale."""
    return np.stack(pictures[:: max(1, len(pictures) // _SOME)][:_SOME])


def principal_tiles(
    pictures: NDArray[np.uint8], tile: int, count: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The mean of the tiles (3, tile, tile) of `pictures`, their `count` principal components, and the deviations."""
    tiles = flat_tiles(to_tensor(pictures), tile)
    mean = tiles.mean(dim=0)
    variances, vectors = torch.linalg.eigh(torch.cov(tiles.T))  # ascending
    return mean, vectors[:, -count:].flip(1).T, variances[-count:].flip(0).sqrt()


def flat_tiles(pictures: torch.Tensor, tile: int) -> torch.Tensor:
    """All tiles (3, tile, tile) of `pictures` (N, 3, H, W), flattened: (n, 3 tile tile)."""
    return functional.unfold(pictures, tile, stride=tile).transpose(1, 2).flatten(0, 1)


def reconstruction_terms(decoded: torch.Tensor, picture: torch.Tensor) -> dict[str, torch.Tensor]:
    """What is wrong with the pixels, with their differences to the right and below, and with the local structure.

    Both pictures (N, 3, H, W) in [-1, 1]. L1 and L2 of the pixels; half the L1 of the differences: what keeps stripes
    and letters; and 1 - SSIM, which L1 goes well with (Zhao et al. 2017, "Loss functions for image restoration").
    """
    with torch.autocast(decoded.device.type, enabled=False):  # SSIM subtracts squares of nearly equal size
        decoded = decoded.float()
        error = decoded - picture
        edges = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
        likeness = structural_similarity_index_measure(decoded, picture, data_range=2.0)
        assert isinstance(likeness, torch.Tensor)
        return {
            "pixels": error.abs().mean() + error.square().mean(),
            "edges": 0.5 * edges,
            "structure": STRUCTURE_WEIGHT * (1 - likeness),
        }


def _linear(config: AutoencoderTinyConfig, pictures: NDArray[np.uint8], seed: int) -> TinyAutoencoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        autoencoder = TinyAutoencoder(config)
    autoencoder.start_linear(*principal_tiles(pictures, config.downscale, config.latent_channels))
    return autoencoder


@torch.no_grad()
def latent_scale(autoencoder: Autoencoder, pictures: NDArray[np.uint8]) -> float:
    """What latents of `pictures` are multiplied by to have unit standard deviation (latent diffusion, appendix G)."""
    device = next(autoencoder.parameters()).device
    latents = [autoencoder.encode(to_tensor(pictures[i : i + 16], device)) for i in range(0, len(pictures), 16)]
    return float(1.0 / torch.cat(latents).std())

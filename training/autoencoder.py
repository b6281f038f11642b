"""Trains the autoencoder on crops of people and of their warped composites, whose grey holes it will meet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from lite_vton.model.autoencoder import Autoencoder
from lite_vton.presets import ModelConfig
from training.latents import to_tensor
from training.loop import LoopConfig, OnStep, fit

__all__ = ["latent_scale", "principal_tiles", "reconstruction_terms", "train_autoencoder"]


def train_autoencoder(
    config: ModelConfig,
    pictures: NDArray[np.uint8],
    loop: LoopConfig,
    folder: Path,
    *,
    resume: bool = False,
    on_step: OnStep | None = None,
) -> tuple[Autoencoder, float]:
    """An autoencoder of `config` fitted to `pictures` (N, H, W, 3), and the scale of its latents.

    A step sees `loop.batch_size` crops of half the picture's height and width: more steps for the same work.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(loop.seed)
        autoencoder = Autoencoder(config.autoencoder)
    tile = config.autoencoder.downscale
    autoencoder.start_linear(*principal_tiles(pictures[:256], tile, config.autoencoder.latent_channels))
    height, width = config.height // 2, config.width // 2

    def loss(module: nn.Module, generator: torch.Generator) -> dict[str, torch.Tensor]:
        def draw(end: int) -> list[int]:
            return torch.randint(end, (loop.batch_size,), generator=generator).tolist()

        corners = zip(draw(len(pictures)), draw(height + 1), draw(width + 1), strict=True)
        crops = to_tensor(np.stack([pictures[i, y : y + height, x : x + width] for i, y, x in corners]))
        assert isinstance(module, Autoencoder)
        return reconstruction_terms(module.decode(module.encode(crops)), crops)

    fit(autoencoder, loss, loop, folder, resume=resume, on_step=on_step)
    return autoencoder, latent_scale(autoencoder, pictures[:256])


def principal_tiles(
    pictures: NDArray[np.uint8], tile: int, count: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The mean of the tiles (3, tile, tile) of `pictures`, their `count` principal components, and the deviations."""
    tiles = functional.unfold(to_tensor(pictures), tile, stride=tile).transpose(1, 2).flatten(0, 1)
    mean = tiles.mean(dim=0)
    variances, vectors = torch.linalg.eigh(torch.cov(tiles.T))  # ascending
    return mean, vectors[:, -count:].flip(1).T, variances[-count:].flip(0).sqrt()


def reconstruction_terms(decoded: torch.Tensor, picture: torch.Tensor) -> dict[str, torch.Tensor]:
    """L1 of the pixels, and half the L1 of their differences to the right and below: what keeps stripes and letters.

    Both pictures (N, 3, H, W) in [-1, 1].
    """
    error = decoded - picture
    edges = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
    return {
        "pixels": functional.l1_loss(decoded, picture) + functional.mse_loss(decoded, picture),
        "edges": 0.5 * edges,
    }


@torch.no_grad()
def latent_scale(autoencoder: Autoencoder, pictures: NDArray[np.uint8]) -> float:
    """What latents of `pictures` are multiplied by to have unit standard deviation (latent diffusion, appendix G)."""
    latents = [autoencoder.encode(to_tensor(pictures[i : i + 16])) for i in range(0, len(pictures), 16)]
    return float(1.0 / torch.cat(latents).std())

"""The autoencoder begins as a linear one that already knows colours, and learns from there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from lite_vton.model.autoencoder_tiny import TinyAutoencoder
from lite_vton.presets.table import preset
from lite_vton_training.dataset.latents import to_tensor
from lite_vton_training.loop.fit import LoopConfig
from lite_vton_training.trainers.autoencoder import latent_scale, principal_tiles, train_autoencoder

TINY = preset("tiny")
TILE = TINY.autoencoder.downscale


def flat_tiles(count: int = 16) -> np.ndarray:
    """Pictures of one random colour a tile: all that four latent channels can hold exactly."""
    colours = np.random.default_rng(0).integers(0, 256, (count, TINY.height // TILE, TINY.width // TILE, 3), np.uint8)
    return colours.repeat(TILE, axis=1).repeat(TILE, axis=2)


def test_the_shortcut_alone_reproduces_flat_colours() -> None:
    pictures = flat_tiles()
    autoencoder = TinyAutoencoder(TINY.autoencoder)
    autoencoder.start_linear(*principal_tiles(pictures, TILE, TINY.autoencoder.latent_channels))
    picture = to_tensor(pictures)
    with torch.no_grad():
        # Without diffusers' -1, which the network's decoder would add.
        decoded = autoencoder.to_picture(autoencoder.to_latent(picture)) - 1.0
    assert (decoded - picture).abs().max() < 1e-3


def test_principal_components_are_orthonormal_and_ordered() -> None:
    _, components, deviations = principal_tiles(flat_tiles(), TILE, 4)
    assert torch.allclose(components @ components.T, torch.eye(4), atol=1e-4)
    assert (deviations[:-1] >= deviations[1:]).all()


def test_scaled_latents_have_unit_deviation(tmp_path: Path) -> None:
    pictures = flat_tiles()
    loop = LoopConfig(steps=2, batch_size=2, learning_rate=1e-3, warmup_steps=1)
    autoencoder, scale = train_autoencoder(TINY, list(pictures), loop, tmp_path)
    with torch.no_grad():
        latents = autoencoder.encode(to_tensor(pictures)) * scale
    assert abs(float(latents.std()) - 1) < 1e-4
    assert scale == latent_scale(autoencoder, pictures)

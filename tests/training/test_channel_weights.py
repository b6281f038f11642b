"""A latent's channels count by what they do to the picture."""

from __future__ import annotations

import torch

from lite_vton.model.autoencoder_tiny import TinyAutoencoder
from lite_vton.model.networks import random_networks
from lite_vton.presets import preset
from training.channel_weights import channel_weights

DEVIATIONS = torch.tensor([4.0, 2.0, 1.0, 0.25])


def linear() -> TinyAutoencoder:
    autoencoder = random_networks(preset("tiny")).autoencoder
    assert isinstance(autoencoder, TinyAutoencoder)
    side = 3 * preset("tiny").autoencoder.downscale ** 2
    generator = torch.Generator().manual_seed(1)
    components = torch.linalg.qr(torch.randn(side, 4, generator=generator))[0].T
    autoencoder.start_linear(torch.zeros(side), components, DEVIATIONS)
    return autoencoder


def test_of_a_linear_decoder_the_weights_are_its_columns_squared_norms() -> None:
    latents = torch.randn(3, 4, 6, 5, generator=torch.Generator().manual_seed(0))
    found = channel_weights(linear(), latents, 2.0)
    # Principal components are laid out with gains of the deviations' roots.
    assert found.shape == (4, 1, 1)
    assert torch.allclose(found.flatten(), DEVIATIONS / DEVIATIONS.mean(), rtol=1e-3)


def test_the_same_latents_give_the_same_weights_and_stay_as_they_are() -> None:
    latents = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(0))
    before = latents.clone()
    autoencoder = random_networks(preset("tiny")).autoencoder
    assert torch.equal(channel_weights(autoencoder, latents, 1.0), channel_weights(autoencoder, latents, 1.0))
    assert torch.equal(latents, before)

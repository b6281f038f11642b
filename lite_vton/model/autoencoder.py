"""The picture autoencoder: diffusers' `AutoencoderTiny` behind a space-to-depth fold.

Folding `patch x patch` pixels into channels first keeps every convolution at a quarter of the picture's
side, where a CPU multiplies matrices instead of moving memory.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderTiny
from torch import nn
from torch.nn import functional

from lite_vton.presets import AutoencoderConfig

__all__ = ["Autoencoder"]


class Autoencoder(nn.Module):
    """Pictures (N, 3, H, W) in [-1, 1] to latents (N, C, H/8, W/8), unscaled, and back."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        folded = 3 * config.patch**2
        self.patch = config.patch
        self.network = AutoencoderTiny(
            in_channels=folded,
            out_channels=folded,
            latent_channels=config.latent_channels,
            encoder_block_out_channels=config.channels,
            num_encoder_blocks=config.blocks,
            decoder_block_out_channels=config.channels[::-1],
            num_decoder_blocks=config.blocks[::-1],
        )

    def encode(self, picture: torch.Tensor) -> torch.Tensor:
        """Picture (N, 3, H, W) in [-1, 1] to its latent; deterministic, no distribution to draw from."""
        latent: torch.Tensor = self.network.encoder(functional.pixel_unshuffle(picture, self.patch))
        return latent

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Latent (N, C, h, w), unscaled, to a picture in about [-1, 1]; not clipped."""
        return functional.pixel_shuffle(self.network.decoder(latent), self.patch)

"""Stable Diffusion's autoencoder: diffusers' `AutoencoderKL`, encoding to the mean of its distribution."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL

from lite_vton.model.autoencoder import Autoencoder
from lite_vton.presets.config import AutoencoderKLConfig

__all__ = ["KLAutoencoder"]


class KLAutoencoder(Autoencoder):
    """The four parts of an `AutoencoderKL` under their own names, so that its checkpoints load as they are.

    Nothing is drawn from the distribution: its log-variance is dropped, the latent is the mean.
    """

    def __init__(self, config: AutoencoderKLConfig) -> None:
        super().__init__()
        levels = len(config.channels)
        network = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            block_out_channels=config.channels,
            layers_per_block=config.layers_per_block,
            norm_num_groups=config.norm_groups,
            latent_channels=config.latent_channels,
            scaling_factor=config.latent_scale,
        )
        self.encoder, self.quant_conv = network.encoder, network.quant_conv
        self.decoder, self.post_quant_conv = network.decoder, network.post_quant_conv

    def encode(self, picture: torch.Tensor) -> torch.Tensor:
        """Picture (N, 3, H, W) in [-1, 1] to its latent (N, C, h, w), the mean of the moments."""
        mean: torch.Tensor = self.quant_conv(self.encoder(picture)).chunk(2, dim=1)[0]
        return mean

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Latent (N, C, h, w), unscaled, to a picture (N, 3, H, W) in about [-1, 1]; not clipped."""
        picture: torch.Tensor = self.decoder(self.post_quant_conv(latent))
        return picture

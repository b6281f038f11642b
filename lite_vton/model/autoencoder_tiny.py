"""The demo models' autoencoder: diffusers' `AutoencoderTiny` behind a space-to-depth fold, beside a linear shortcut.

Folding `patch x patch` pixels into channels first keeps every convolution at a quarter of the picture's
side, where a CPU multiplies matrices instead of moving memory. The shortcut carries what is linear, the colours
above all, so that the network learns the residual only (as in DC-AE, Chen et al. 2024): without it, two thousand
steps were not enough to tell green from grey.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from diffusers import AutoencoderTiny
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock
from torch import nn
from torch.nn import functional

from lite_vton.model.autoencoder import Autoencoder
from lite_vton.presets.config import AutoencoderTinyConfig

__all__ = ["TinyAutoencoder"]


class TinyAutoencoder(Autoencoder):
    """`AutoencoderTiny` on folded pictures, plus a linear shortcut either way; or the published TAESD, without it."""

    def __init__(self, config: AutoencoderTinyConfig) -> None:
        super().__init__()
        folded = 3 * config.patch**2
        self.patch = config.patch
        self.latent_scale = config.latent_scale
        tile = config.downscale
        self.shortcut = config.shortcut
        if config.shortcut:
            self.to_latent = nn.Conv2d(3, config.latent_channels, tile, stride=tile)
            self.to_picture = nn.ConvTranspose2d(config.latent_channels, 3, tile, stride=tile)
        self.network = AutoencoderTiny(
            in_channels=folded,
            out_channels=folded,
            latent_channels=config.latent_channels,
            encoder_block_out_channels=config.channels,
            num_encoder_blocks=config.blocks,
            decoder_block_out_channels=config.decoder_channels[::-1],
            num_decoder_blocks=config.decoder_blocks[::-1],
            act_fn=config.activation,
        )
        for block in self._blocks() if config.shortcut else ():
            # A ReLU over the whole residual stream dies: measured, 96 of 100 activations were zero after a thousand
            # steps and the last block gave nothing any more.
            block.fuse = nn.Identity()

    def encode(self, picture: torch.Tensor) -> torch.Tensor:
        """Picture (N, 3, H, W) in [-1, 1] to its latent; deterministic, no distribution to draw from."""
        latent: torch.Tensor = self.network.encoder(functional.pixel_unshuffle(picture, self.patch))
        if self.shortcut:
            latent = latent + self.to_latent(picture)
        # diffusers' decoder clips its input at three, which suits latents of unit variance alone.
        return latent if self.latent_scale == 1.0 else latent / self.latent_scale

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """Latent (N, C, h, w), unscaled, to a picture in about [-1, 1]; not clipped."""
        latent = latent if self.latent_scale == 1.0 else latent * self.latent_scale
        picture: torch.Tensor = functional.pixel_shuffle(self.network.decoder(latent), self.patch)
        return picture + self.to_picture(latent) if self.shortcut else picture

    @torch.no_grad()
    def start_linear(self, mean: torch.Tensor, components: torch.Tensor, deviations: torch.Tensor) -> None:
        """Make the autoencoder linear: the shortcut a principal component analysis of tiles (3, t, t), flattened.

        `mean` (3 t t,), `components` (C, 3 t t) orthonormal, `deviations` (C,) along them. Latents come out halfway
        to unit deviation, so that the strong components keep more of the signal once noise is added.
        """
        gain = deviations.sqrt()[:, None]
        self.start_fitted(components / gain, -(components @ mean) / gain[:, 0], components * gain, mean)

    @torch.no_grad()
    def start_fitted(
        self, to_latent: torch.Tensor, latent_bias: torch.Tensor, to_picture: torch.Tensor, picture_bias: torch.Tensor
    ) -> None:
        """Make the autoencoder linear: from tiles (3, t, t), flattened, to latents of unit variance and back.

        `to_latent` and `to_picture` (C, 3 t t), `latent_bias` (C,), `picture_bias` (3 t t,).
        """
        tile = self.to_latent.weight.shape
        self.to_latent.weight.copy_(to_latent.view(tile))
        self.to_latent.bias.copy_(latent_bias)  # type: ignore[union-attr]
        self.to_picture.weight.copy_(to_picture.view(tile))
        # The network starts at nothing, and each block as the identity: random output would be one large error.
        ends = [self.network.encoder.layers[-1], self.network.decoder.layers[-1]]
        for convolution in (*ends, *(block.conv[-1] for block in self._blocks())):
            nn.init.zeros_(convolution.weight)
            nn.init.zeros_(convolution.bias)
        # The bias is one a channel, so the mean is taken as flat; diffusers' decoder adds -1 to what it returns.
        self.to_picture.bias.copy_(picture_bias.view(3, -1).mean(dim=1) + 1.0)  # type: ignore[union-attr]

    def _blocks(self) -> Iterator[AutoencoderTinyBlock]:
        return (module for module in self.network.modules() if isinstance(module, AutoencoderTinyBlock))

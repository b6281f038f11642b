"""Which autoencoder a model has: Stable Diffusion's (`kl`), or a small one in the same latent space (`tiny`, `taesd`).

The latents are alike, so a U-Net's weights fit each, and a model may be trained with one and run with another. `tiny`
is ours, distilled from the large (`lite_vton_training.trainers.small_autoencoder`); `taesd` is published, and imported.
"""

from __future__ import annotations

from dataclasses import replace

from lite_vton.errors import UserError
from lite_vton.messages.choices import one_of
from lite_vton.presets.config import AutoencoderConfig, AutoencoderKLConfig, ModelConfig, UNetConfig
from lite_vton.presets.table import AUTOENCODERS

__all__ = ["KINDS", "PICTURES", "autoencoder_kind", "encoder_batch", "with_autoencoder"]

KINDS = ("kl", "tiny", "taesd")
"""diffusers' `AutoencoderKL`; its `AutoencoderTiny` beside a shortcut of ours, and as it is."""

PICTURES = ("masked_person", "pose")
"""Conditions that are pictures, and encoded before the U-Net is told them."""


def autoencoder_kind(config: ModelConfig) -> str:
    """The one of `KINDS` that a model has as it stands."""
    if isinstance(config.autoencoder, AutoencoderKLConfig):
        return "kl"
    return "tiny" if config.autoencoder.shortcut else "taesd"


def with_autoencoder(config: ModelConfig, kind: str) -> ModelConfig:
    """`config` with the autoencoder of that kind; what it has already leaves it as it is.

    `UserError` for a kind nobody knows, or one that the preset has no shape for.
    """
    one_of("autoencoder", kind, KINDS)
    if kind == autoencoder_kind(config):
        return config
    if config.name not in AUTOENCODERS:
        raise UserError(f"{config.name} has its {autoencoder_kind(config)} autoencoder and no other: choose that")
    autoencoder = AUTOENCODERS[config.name][kind]
    batch = encoder_batch(autoencoder, config.unet)
    return replace(config, autoencoder=autoencoder, encoder_batch=batch, shipped_weights=None)


def encoder_batch(autoencoder: AutoencoderConfig, unet: UNetConfig) -> int:
    """How many pictures an exported encoder takes at once: all that the U-Net is told, if it is a small one."""
    return 1 if isinstance(autoencoder, AutoencoderKLConfig) else sum(name in PICTURES for name in unet.told)

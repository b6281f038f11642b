"""Every model lite-vton knows, as one frozen table.

A preset fixes what cannot change after training: picture size, autoencoder, U-Net and noise schedule.
Adding a model means adding one literal to `PRESETS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from lite_vton.messages.choices import one_of
from lite_vton.presets.config import (
    AutoencoderConfig,
    AutoencoderKLConfig,
    AutoencoderTinyConfig,
    ImageEncoderConfig,
    ModelConfig,
    UNetConfig,
)

__all__ = ["AUTOENCODERS", "PRESETS", "preset"]


_DEMO_AUTOENCODER = AutoencoderTinyConfig(
    patch=4, channels=(64, 64), blocks=(2, 3), decoder_channels=(128, 128), decoder_blocks=(2, 3)
)
_TINY_AUTOENCODER = AutoencoderTinyConfig(
    patch=4, channels=(16, 16), blocks=(1, 1), decoder_channels=(24, 24), decoder_blocks=(1, 1)
)
_RESIDUAL = 0.95
"""Deviation of a person's latent from the pasted warp's inside the mask, over the drawn training pairs."""

_SD_AUTOENCODER = AutoencoderKLConfig(channels=(128, 256, 512, 512), layers_per_block=2)
_SMALL_AUTOENCODER = AutoencoderTinyConfig(
    patch=4,
    channels=(96, 96),
    blocks=(2, 4),
    decoder_channels=(128, 128),
    decoder_blocks=(2, 3),
    latent_scale=_SD_AUTOENCODER.latent_scale,
)
"""In Stable Diffusion's latent space, for a small part of its cost; docs/method.md has what was measured."""
_TAESD = AutoencoderTinyConfig(
    patch=1,
    channels=(64, 64, 64, 64),
    blocks=(1, 3, 3, 3),
    decoder_channels=(64, 64, 64, 64),
    decoder_blocks=(1, 3, 3, 3),
    latent_scale=_SD_AUTOENCODER.latent_scale,
    activation="relu",
    shortcut=False,
)
"""The published one (github.com/madebyollin/taesd), for imports."""
_SD_UNET = UNetConfig(
    channels=(320, 640, 1280, 1280),
    layers_per_block=(2, 2, 2, 2),
    attention=(True, True, True, False),
    mid_block=True,
    attention_heads=8,
    norm_groups=32,
)
"""Stable Diffusion 1.5's, without cross-attention."""

_TINY_KL_AUTOENCODER = AutoencoderKLConfig(channels=(8, 8, 16, 16), layers_per_block=1, norm_groups=4)
_TINY_SMALL_AUTOENCODER = replace(_TINY_AUTOENCODER, latent_scale=_TINY_KL_AUTOENCODER.latent_scale)
_TINY_TAESD = replace(_TAESD, channels=(8,) * 4, blocks=(1,) * 4, decoder_channels=(8,) * 4, decoder_blocks=(1,) * 4)
_TINY_KL_UNET = UNetConfig(
    channels=(16, 16),
    layers_per_block=(1, 1),
    attention=(True, True),
    mid_block=True,
    attention_heads=2,
    norm_groups=8,
)

PRESETS: dict[str, ModelConfig] = {
    config.name: config
    for config in (
        ModelConfig(
            name="demo-teacher",
            description="the demo student's teacher, trained here on drawn pairs",
            height=256,
            width=192,
            encoder_batch=2,
            autoencoder=_DEMO_AUTOENCODER,
            unet=UNetConfig(
                channels=(64, 112, 128),
                layers_per_block=(2, 2, 2),
                attention=(False, True, True),
                residual_deviation=_RESIDUAL,
            ),
            shipped_weights=("demo-autoencoder.safetensors", "demo-teacher.safetensors"),
        ),
        ModelConfig(
            name="demo",
            description="the demo student, distilled from demo-teacher; what `lite-vton demo` runs",
            height=256,
            width=192,
            encoder_batch=2,
            autoencoder=_DEMO_AUTOENCODER,
            unet=UNetConfig(
                channels=(64, 96, 128),
                layers_per_block=(1, 1, 1),
                attention=(False, True, True),
                residual_deviation=_RESIDUAL,
            ),
            shipped_weights=("demo-autoencoder.safetensors", "demo.safetensors"),
            teacher="demo-teacher",
        ),
        ModelConfig(
            name="mp-vton",
            description="the paper's MP-VTON: Stable Diffusion 1.5 with CLIP tokens of the garment; no weights yet",
            height=512,
            width=384,
            autoencoder=_SD_AUTOENCODER,
            unet=replace(_SD_UNET, cross_attention=768),
            default_steps=20,
            image_encoder=ImageEncoderConfig(width=768, layers=12, heads=12, patch=16),
        ),
        ModelConfig(
            name="teacher",
            description="the paper's teacher: MP-VTON without CLIP and without cross-attention; no weights yet",
            height=512,
            width=384,
            autoencoder=_SD_AUTOENCODER,
            unet=_SD_UNET,
            default_steps=20,
        ),
        ModelConfig(
            name="litemp-vton",
            description="the paper's student: narrower, no mid block, self-attention where it is cheap; no weights yet",
            height=512,
            width=384,
            autoencoder=_SD_AUTOENCODER,
            unet=UNetConfig(
                channels=(320, 384, 640, 704),
                layers_per_block=(1, 2, 2, 2),
                attention=(False, False, True, False),
                attention_heads=8,
                norm_groups=32,
            ),
            default_steps=20,
            teacher="teacher",
        ),
        ModelConfig(
            name="litemp-vton-paper",
            description="the paper's student as nearest its printed GFLOPs: self-attention on three levels; no weights",
            height=512,
            width=384,
            autoencoder=_SD_AUTOENCODER,
            unet=UNetConfig(
                channels=(320, 448, 640, 640),
                layers_per_block=(1, 2, 2, 1),
                attention=(True, True, True, False),
                attention_heads=8,
                norm_groups=32,
            ),
            default_steps=20,
            teacher="teacher",
        ),
        ModelConfig(
            name="tiny-teacher",
            description="random weights, for tests of distillation",
            height=64,
            width=48,
            encoder_batch=2,
            autoencoder=_TINY_AUTOENCODER,
            unet=UNetConfig(
                channels=(16, 32),
                layers_per_block=(2, 2),
                attention=(False, True),
                attention_heads=2,
                norm_groups=8,
                residual_deviation=_RESIDUAL,
            ),
        ),
        ModelConfig(
            name="tiny",
            description="random weights, for tests: every operator of demo at a size that exports in seconds",
            height=64,
            width=48,
            encoder_batch=2,
            autoencoder=_TINY_AUTOENCODER,
            unet=UNetConfig(
                channels=(16, 16),
                layers_per_block=(1, 1),
                attention=(False, True),
                attention_heads=2,
                norm_groups=8,
                residual_deviation=_RESIDUAL,
            ),
            teacher="tiny-teacher",
        ),
        ModelConfig(
            name="tiny-clip",
            description="random weights, for tests: every operator of mp-vton at a size that exports in seconds",
            height=64,
            width=48,
            autoencoder=_TINY_KL_AUTOENCODER,
            unet=replace(_TINY_KL_UNET, cross_attention=24),
            image_encoder=ImageEncoderConfig(width=24, layers=2, heads=2, patch=56),
        ),
        ModelConfig(
            name="tiny-kl",
            description="random weights, for tests: tiny-clip without CLIP, as teacher is mp-vton without it",
            height=64,
            width=48,
            autoencoder=_TINY_KL_AUTOENCODER,
            unet=_TINY_KL_UNET,
            teacher="tiny-clip",
        ),
    )
}

AUTOENCODERS: Mapping[str, Mapping[str, AutoencoderConfig]] = MappingProxyType(
    {
        **dict.fromkeys(
            ("mp-vton", "teacher", "litemp-vton", "litemp-vton-paper"),
            MappingProxyType({"kl": _SD_AUTOENCODER, "tiny": _SMALL_AUTOENCODER, "taesd": _TAESD}),
        ),
        **dict.fromkeys(
            ("tiny-clip", "tiny-kl"),
            MappingProxyType({"kl": _TINY_KL_AUTOENCODER, "tiny": _TINY_SMALL_AUTOENCODER, "taesd": _TINY_TAESD}),
        ),
    }
)
"""By preset, the autoencoders it can have, all in one latent space; see `lite_vton.presets.autoencoders`."""


def preset(name: str) -> ModelConfig:
    """The preset called `name`; a `UserError` that suggests the nearest name if there is none."""
    return PRESETS[one_of("preset", name, PRESETS)]

"""What a model is: picture size, networks, conditions and noise schedule, as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

__all__ = [
    "AutoencoderConfig",
    "AutoencoderKLConfig",
    "AutoencoderTinyConfig",
    "ImageEncoderConfig",
    "MaskKind",
    "ModelConfig",
    "NoiseSchedule",
    "UNetConfig",
]


MaskKind = Literal["plain", "improved"]
"""What of a person is repainted. `plain`: the old garment and nothing else, so that its outline shows. `improved`: all
that a garment could cover, without hands, hair and face; see `lite_vton.presets.conditioning`."""


@dataclass(frozen=True)
class NoiseSchedule:
    """diffusers' `scaled_linear` betas, cut where sampling starts.

    Sampling is warm: it starts from the noised warped composite, so timesteps above the start are never
    seen. The first 600 of Stable Diffusion's 1000 betas are themselves a scaled-linear schedule that ends
    at a smaller beta, which lets plain diffusers schedulers express the warm start without an option.
    """

    num_train_timesteps: int = 600
    beta_start: float = 0.00085
    beta_end: float = 0.005984016  # beta 599 of Stable Diffusion's 1000 (0.00085 to 0.012)


@dataclass(frozen=True)
class AutoencoderTinyConfig:
    """Shape of diffusers' `AutoencoderTiny`, fed with space-to-depth pictures.

    `patch` pixels a side are folded into channels first, then every further level halves the size:
    the downscale factor is `patch * 2 ** (len(channels) - 1)`. `channels` and `blocks` are the encoder's, widest
    picture first; `decoder_channels` and `decoder_blocks` the decoder's in the same order. `latent_scale` brings
    latents to about unit variance, which is what the convolutions inside give and take whatever the scale outside.
    `shortcut` says whether a linear way lies beside the network, and none of its blocks ends in an activation: so are
    ours. Published ones (TAESD) are without, and their `activation` is relu.
    """

    patch: int
    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    decoder_channels: tuple[int, ...]
    decoder_blocks: tuple[int, ...]
    latent_channels: int = 4
    latent_scale: float = 1.0
    activation: str = "silu"
    shortcut: bool = True

    @property
    def downscale(self) -> int:
        """Picture pixels per latent position, along one side."""
        return self.patch << (len(self.channels) - 1)


@dataclass(frozen=True)
class AutoencoderKLConfig:
    """Shape of diffusers' `AutoencoderKL`, the autoencoder of Stable Diffusion.

    `channels` are the levels', widest picture first; each level but the last halves the picture. `layers_per_block`
    counts the encoder's ResNet layers a level, the decoder has one more. `latent_scale` holds for weights that do
    not say another.
    """

    channels: tuple[int, ...]
    layers_per_block: int
    norm_groups: int = 32
    latent_channels: int = 4
    latent_scale: float = 0.18215

    @property
    def downscale(self) -> int:
        """Picture pixels per latent position, along one side."""
        return 1 << (len(self.channels) - 1)


AutoencoderConfig = AutoencoderTinyConfig | AutoencoderKLConfig
"""Either kind; both have `downscale`, `latent_channels` and `latent_scale`, and `lite_vton.model` a module."""


@dataclass(frozen=True)
class ImageEncoderConfig:
    """Shape of the image tower of CLIP that sees the garment: transformers' `CLIPVisionModel`, 224 pixels a side."""

    width: int
    layers: int
    heads: int
    patch: int

    @property
    def image_size(self) -> int:
        """Pixels along a side of the square picture it takes: CLIP's own 224."""
        return 224

    @property
    def tokens(self) -> int:
        """Tokens it answers with: one a patch, and the class token before them."""
        return (self.image_size // self.patch) ** 2 + 1


_CHANNELS: Mapping[str, int] = MappingProxyType({"mask": 1})
"""Channels of those conditions that are no latents."""


@dataclass(frozen=True)
class UNetConfig:
    """Shape of diffusers' `UNet2DConditionModel`.

    `cross_attention` is the width of the tokens it attends to. None: no token, and every cross-attention removed,
    which is what dropping CLIP means in the paper.

    `activation` is the name diffusers has for what stands after every normalisation: silu, relu, gelu or mish.

    `residual_deviation` says what its output means. None: epsilon itself, as Stable Diffusion's. A number: the
    difference between the clean latent and the masked person's, which is about that large (scaled latent units);
    `lite_vton.model.denoiser` turns it into epsilon.

    `conditions` are what its input channels hold, the noisy latent first. How many channels each has, and the output,
    follows from the autoencoder: `ModelConfig.conditions`.
    """

    channels: tuple[int, ...]
    layers_per_block: tuple[int, ...]
    attention: tuple[bool, ...]
    mid_block: bool = False
    attention_heads: int = 4
    norm_groups: int = 16
    activation: str = "silu"
    residual_deviation: float | None = None
    cross_attention: int | None = None
    conditions: tuple[str, ...] = ("noisy_latent", "mask", "masked_person", "pose")

    @property
    def told(self) -> tuple[str, ...]:
        """Names of its conditions in the order of their channels, which follow the noisy latent's."""
        return tuple(name for name in self.conditions if name != "noisy_latent")


@dataclass(frozen=True)
class ModelConfig:
    """One model: what it paints, and the networks that do it. Sizes in pixels.

    `image_encoder` is there where the U-Net attends to tokens of the garment. `teacher` names the preset a student is
    distilled from. `shipped_weights` names the autoencoder's and the U-Net's file in lite_vton/assets, where there
    are any. `mask` says what the pictures it is trained on and run on leave to be repainted. `encoder_batch` is how
    many pictures an exported encoder takes at once: where the autoencoder is small as many as the U-Net is told, so
    that a try-on calls it once; Stable Diffusion's takes no less time for it, and 0.2 to 0.4 GB more.
    `decoder_tile` (h, w) is the part of a latent an exported decoder takes at once
    (`lite_vton_runtimes.sampling.tiles`); None: all of it.
    """

    name: str
    description: str
    height: int
    width: int
    autoencoder: AutoencoderConfig
    unet: UNetConfig
    schedule: NoiseSchedule = field(default_factory=NoiseSchedule)
    default_steps: int = 8
    default_sampler: Literal["ddpm", "ddim", "euler", "dpmsolver++", "lcm"] = "ddim"
    shipped_weights: tuple[str, str] | None = None
    image_encoder: ImageEncoderConfig | None = None
    teacher: str | None = None
    mask: MaskKind = "improved"
    encoder_batch: int = 1
    decoder_tile: tuple[int, int] | None = None

    @property
    def components(self) -> tuple[str, ...]:
        """Names of its networks as every backend offers them, in the order a try-on runs them."""
        always = ("vae_encoder", "unet", "vae_decoder")
        return always if self.image_encoder is None else ("image_encoder", *always)

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """(1, C, h, w) of the latent one picture becomes."""
        scale = self.autoencoder.downscale
        return (1, self.autoencoder.latent_channels, self.height // scale, self.width // scale)

    @property
    def conditions(self) -> tuple[tuple[str, int], ...]:
        """What the U-Net's input channels hold, in their order, each with how many: a latent has the autoencoder's."""
        latent = self.autoencoder.latent_channels
        return tuple((name, _CHANNELS.get(name, latent)) for name in self.unet.conditions)

    @property
    def unet_in_channels(self) -> int:
        """Channels of the U-Net's first convolution: the noisy latent and all its conditions."""
        return sum(count for _, count in self.conditions)

    def channels_of(self, condition: str) -> slice:
        """Where `condition` lies among the U-Net's input channels."""
        first = sum(count for _, count in self.conditions[: self.unet.conditions.index(condition)])
        return slice(first, first + dict(self.conditions)[condition])

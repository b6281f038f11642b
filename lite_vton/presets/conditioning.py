"""What a model is conditioned on: the paper's components A to D as switches of a preset.

A is the inpainting base; B improves its mask, C adds the pose, D CLIP's tokens of the garment. A switch that is off
takes its part out of the model instead of feeding it nothing: without the pose the U-Net has four input channels less
and the exported try-on encodes one picture less, and so has no channels that training would have to learn to ignore.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import get_args

from lite_vton.errors import UserError
from lite_vton.messages.choices import one_of
from lite_vton.presets.autoencoders import autoencoder_kind, encoder_batch, with_autoencoder
from lite_vton.presets.config import MaskKind, ModelConfig
from lite_vton.presets.table import preset

__all__ = ["COMPONENTS_OF_PAPER", "Conditioning", "as_mask", "from_metadata", "to_metadata"]


@dataclass(frozen=True)
class Conditioning:
    """`mask` is what of the person is repainted; `pose` whether the skeleton, `tokens` whether CLIP's are given."""

    mask: MaskKind = "improved"
    pose: bool = True
    tokens: bool = False

    @classmethod
    def of(cls, config: ModelConfig) -> Conditioning:
        """The switches of a model as they stand."""
        return cls(config.mask, "pose" in config.unet.told, config.image_encoder is not None)

    def applied_to(self, config: ModelConfig) -> ModelConfig:
        """`config` with mask and pose switched so; where that changes it, shipped weights no longer fit it.

        `UserError` where tokens are asked of a preset without an image encoder, or the other way round: cross-attention
        is what makes two presets of it.
        """
        if self.tokens != (config.image_encoder is not None):
            kind = "no image encoder" if self.tokens else "an image encoder"
            raise UserError(f"{config.name} has {kind}: choose the preset with{'' if self.tokens else 'out'} CLIP")
        if self == Conditioning.of(config):
            return config
        others = tuple(name for name in config.unet.conditions if name != "pose")
        unet = replace(config.unet, conditions=(*others, "pose") if self.pose else others)
        batch = encoder_batch(config.autoencoder, unet)
        return replace(config, mask=self.mask, unet=unet, shipped_weights=None, encoder_batch=batch)


COMPONENTS_OF_PAPER: Mapping[str, Conditioning] = MappingProxyType(
    {
        "A": Conditioning(mask="plain", pose=False),
        "A+B": Conditioning(pose=False),
        "A+B+C": Conditioning(),
        "A+B+C+D": Conditioning(tokens=True),
    }
)
"""The rows of the paper's table of components."""


def as_mask(name: str) -> MaskKind:
    """The kind of mask of that name; `UserError` where there is none."""
    kinds: tuple[MaskKind, ...] = get_args(MaskKind)
    return one_of("mask", name, kinds)


def to_metadata(config: ModelConfig) -> dict[str, str]:
    """What a file of weights says beside the preset's name: nothing of a preset as it is."""
    found, kind = Conditioning.of(config), autoencoder_kind(config)
    usual = found == Conditioning(tokens=found.tokens)
    told = {} if usual else {"mask": found.mask, "pose": "on" if found.pose else "off"}
    return told if kind == autoencoder_kind(preset(config.name)) else told | {"autoencoder": kind}


def from_metadata(config: ModelConfig, metadata: Mapping[str, str]) -> ModelConfig:
    """The preset `config` as the weights with this metadata were trained.

    `UserError` for a mask or an autoencoder nobody knows.
    """
    if "autoencoder" in metadata:
        config = with_autoencoder(config, metadata["autoencoder"])
    mask, pose = as_mask(metadata.get("mask", "improved")), metadata.get("pose", "on") == "on"
    return Conditioning(mask, pose, config.image_encoder is not None).applied_to(config)

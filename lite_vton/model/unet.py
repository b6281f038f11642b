"""The denoising U-Net: diffusers' `UNet2DConditionModel`, told its conditions through input channels, and tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from torch import nn
from torch.nn import functional

from lite_vton.presets.config import ModelConfig

__all__ = ["EdgeConv", "SkippedAttention", "adapt", "build_unet"]


def build_unet(config: ModelConfig) -> UNet2DConditionModel:
    """A U-Net with random weights: (N, K, h, w) and timesteps (N,) to epsilon (N, C, h, w).

    K is `config.unet_in_channels`, C the channels of the autoencoder's latents. With `cross_attention` D it also takes
    tokens (N, T, D). Without, `attn2` is taken out of each transformer block: the paper's teacher drops CLIP, and with
    it every cross-attention (its parameter count says so). diffusers skips a block's cross-attention where it is None.

    Loading imported weights into it gives it what they need to answer as in their own code; see `adapt`.
    """
    shape = config.unet
    unet = UNet2DConditionModel(
        in_channels=config.unet_in_channels,
        out_channels=config.autoencoder.latent_channels,
        block_out_channels=shape.channels,
        layers_per_block=shape.layers_per_block,
        down_block_types=tuple("CrossAttnDownBlock2D" if here else "DownBlock2D" for here in shape.attention),
        up_block_types=tuple("CrossAttnUpBlock2D" if here else "UpBlock2D" for here in reversed(shape.attention)),
        mid_block_type="UNetMidBlock2DCrossAttn" if shape.mid_block else None,
        attention_head_dim=shape.attention_heads,  # diffusers' historical name for the number of heads
        norm_num_groups=shape.norm_groups,
        act_fn=shape.activation,
        # Without tokens it is the width of layers removed below; any will do.
        cross_attention_dim=shape.cross_attention or shape.norm_groups,
    )
    unet.register_load_state_dict_pre_hook(_adapt_before_loading)
    if shape.cross_attention is not None:
        return unet
    for block in unet.modules():
        if isinstance(block, BasicTransformerBlock):
            block.attn2 = None
            block.norm2 = None
    return unet


class EdgeConv(nn.Conv2d):
    """A convolution with 3×3 taps for which beyond the picture's edge each channel is a number of its own, not zero.

    A network that was told what to keep (1 - mask) saw zeros there: in our mask, ones. The numbers are weights
    (`beyond`, one a channel), so that they go wherever the others go.
    """

    beyond: torch.Tensor

    def __init__(self, like: nn.Conv2d) -> None:
        super().__init__(like.in_channels, like.out_channels, 3, padding=1, device="meta")
        self.weight, self.bias = like.weight, like.bias
        self.register_buffer("beyond", torch.zeros_like(like.weight[0, :, 0, 0]))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(N, C, h, w) to (N, K, h, w)."""
        beyond = self.beyond.view(1, -1, 1, 1)
        padded = functional.pad(input - beyond, (1, 1, 1, 1)) + beyond
        return functional.conv2d(padded, self.weight, self.bias)


class SkippedAttention(nn.Module):
    """CatVTON's way of leaving a cross-attention out: it hands on what it is given, normalised, to be added again."""

    def forward(self, hidden_states: torch.Tensor, **_: Any) -> torch.Tensor:
        """What it was given."""
        return hidden_states


def adapt(unet: UNet2DConditionModel, names: Iterable[str]) -> None:
    """Give a U-Net of ours the layers that weights of these names need and only imported networks have.

    `conv_in.beyond` makes its first convolution an `EdgeConv`; a transformer block's `norm2` without cross-attention
    gets a `SkippedAttention` behind it. New weights are as meaningless as memory found them: load them.
    """
    present = frozenset(names)
    if "conv_in.beyond" in present and not isinstance(unet.conv_in, EdgeConv):
        unet.conv_in = EdgeConv(unet.conv_in)
    for name, block in unet.named_modules():
        if not isinstance(block, BasicTransformerBlock) or block.norm2 is not None:
            continue
        if f"{name}.norm2.weight" in present:
            norm = block.norm3
            block.norm2 = nn.LayerNorm(
                norm.normalized_shape, norm.eps, device=norm.weight.device, dtype=norm.weight.dtype
            )
            block.attn2 = SkippedAttention()


def _adapt_before_loading(
    unet: UNet2DConditionModel, state: Mapping[str, torch.Tensor], prefix: str, *_: object
) -> None:
    adapt(unet, (name.removeprefix(prefix) for name in state if name.startswith(prefix)))

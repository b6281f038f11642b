"""The denoising U-Net: diffusers' `UNet2DConditionModel`, told its conditions through input channels, and tokens."""

from __future__ import annotations

from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock

from lite_vton.presets import UNetConfig

__all__ = ["build_unet"]


def build_unet(config: UNetConfig, latent_channels: int = 4) -> UNet2DConditionModel:
    """A U-Net with random weights: (N, 13, h, w) and timesteps (N,) to epsilon (N, 4, h, w).

    With `config.cross_attention` D it also takes tokens (N, T, D). Without, `attn2` is taken out of each transformer
    block: the paper's teacher drops CLIP, and with it every cross-attention (its parameter count says so). diffusers
    skips a block's cross-attention where it is None.
    """
    unet = UNet2DConditionModel(
        in_channels=config.in_channels,
        out_channels=latent_channels,
        block_out_channels=config.channels,
        layers_per_block=config.layers_per_block,
        down_block_types=tuple("CrossAttnDownBlock2D" if here else "DownBlock2D" for here in config.attention),
        up_block_types=tuple("CrossAttnUpBlock2D" if here else "UpBlock2D" for here in reversed(config.attention)),
        mid_block_type="UNetMidBlock2DCrossAttn" if config.mid_block else None,
        attention_head_dim=config.attention_heads,  # diffusers' historical name for the number of heads
        norm_num_groups=config.norm_groups,
        # Without tokens it is the width of layers removed below; any will do.
        cross_attention_dim=config.cross_attention or config.norm_groups,
    )
    if config.cross_attention is not None:
        return unet
    for block in unet.modules():
        if isinstance(block, BasicTransformerBlock):
            block.attn2 = None
            block.norm2 = None
    return unet

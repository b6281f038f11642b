"""In which order other networks are told their conditions, and a first convolution brought into our order."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lite_vton.errors import UserError
from lite_vton.presets.config import ModelConfig

__all__ = ["LAYOUTS", "ChannelLayout", "in_our_order", "layout_of"]


@dataclass(frozen=True)
class ChannelLayout:
    """The input channels of somebody's U-Net: our names of its conditions in its own order, each with its channels.

    `keep_mask` is there where its mask is 1 = keep instead of 1 = repaint.
    """

    name: str
    conditions: tuple[tuple[str, int], ...]
    keep_mask: bool = False

    @property
    def channels(self) -> int:
        """Of the first convolution."""
        return sum(count for _, count in self.conditions)


LAYOUTS: dict[str, ChannelLayout] = {
    layout.name: layout
    for layout in (
        ChannelLayout("stable-diffusion", (("noisy_latent", 4),)),
        ChannelLayout("inpainting", (("noisy_latent", 4), ("mask", 1), ("masked_person", 4))),
        # DCI-VTON's too. Both concatenate the inpainted picture's latent before the mask, and blank where it is 0.
        ChannelLayout("paint-by-example", (("noisy_latent", 4), ("masked_person", 4), ("mask", 1)), keep_mask=True),
        # DensePose in place of our skeleton; its authors concatenate the agnostic person before its mask, 1 = keep.
        ChannelLayout(
            "stableviton", (("noisy_latent", 4), ("masked_person", 4), ("mask", 1), ("pose", 4)), keep_mask=True
        ),
        ChannelLayout("lite-vton", (("noisy_latent", 4), ("mask", 1), ("masked_person", 4), ("pose", 4))),
    )
}
"""Every layout `lite-vton import` reads, by name."""


def layout_of(channels: int, hint: str | None) -> ChannelLayout:
    """The layout with so many channels; `hint` names the one meant where several have as many, or insists on one.

    Raises `UserError` where there is none, or the choice is open.
    """
    fitting = [layout for layout in LAYOUTS.values() if layout.channels == channels]
    if hint is not None:
        if LAYOUTS[hint] not in fitting:
            raise UserError(
                f"the source's U-Net takes {channels} channels, layout {hint!r} has {LAYOUTS[hint].channels}: "
                f"choose {' or '.join(layout.name for layout in fitting) or 'another source'}"
            )
        return LAYOUTS[hint]
    if not fitting:
        counts = ", ".join(str(count) for count in sorted({layout.channels for layout in LAYOUTS.values()}))
        raise UserError(
            f"the source's U-Net takes {channels} channels, known are {counts}: it is another kind of network, "
            "which no preset is built as"
        )
    if len(fitting) > 1:
        names = " or ".join(f"--layout {layout.name}" for layout in fitting)
        raise UserError(f"the source does not say what its {channels} channels are: pass {names}")
    return fitting[0]


def in_our_order(
    weight: torch.Tensor, bias: torch.Tensor, layout: ChannelLayout, config: ModelConfig
) -> dict[str, torch.Tensor]:
    """The first convolution of our U-Net that answers as the source's, by the names of its weights.

    `weight` (K, C, 3, 3) and `bias` (K,) are the source's, float32. Conditions the source is not told have zero weight.
    Where its mask is inverted, its column changes sign and its sum goes into the bias; since beyond the edge of the
    picture the source's zeros are ones of ours, `beyond` says so (`lite_vton.model.unet.EdgeConv`).
    """
    told = dict(config.conditions)
    ours = weight.new_zeros(weight.shape[0], config.unet_in_channels, *weight.shape[2:])
    beyond = weight.new_zeros(config.unet_in_channels)
    start = 0
    for name, count in layout.conditions:
        if told.get(name) != count:
            raise UserError(
                f"the source's U-Net is told {name} in {count} channels, the preset's is not: choose another preset"
            )
        columns = weight[:, start : start + count]
        start += count
        if name == "mask" and layout.keep_mask:
            bias = (bias.double() + columns.double().sum(dim=(1, 2, 3))).float()
            columns = -columns
            beyond[config.channels_of(name)] = 1.0
        ours[:, config.channels_of(name)] = columns
    found = {"conv_in.weight": ours, "conv_in.bias": bias}
    return found | {"conv_in.beyond": beyond} if layout.keep_mask else found

"""Networks for latents of more channels that begin as ones for fewer: what those know need not be learnt again.

The old channels stay as they are. The new ones start with what the old cannot hold, the principal components of its
reconstruction's error, and the U-Net as if they were not there: it reads nothing from them and, where it says how the
picture differs from the pasted warp, adds nothing to them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from lite_vton.model.autoencoder_tiny import TinyAutoencoder
from lite_vton.model.unet import build_unet
from lite_vton.presets import AutoencoderTinyConfig, ModelConfig
from training.autoencoder import flat_tiles
from training.latents import to_tensor

__all__ = ["widened_autoencoder", "widened_unet", "with_latent_channels"]


def with_latent_channels(config: ModelConfig, count: int) -> ModelConfig:
    """`config` for latents of `count` channels."""
    return replace(config, autoencoder=replace(config.autoencoder, latent_channels=count))


@torch.no_grad()
def widened_autoencoder(
    narrow: TinyAutoencoder, config: AutoencoderTinyConfig, pictures: NDArray[np.uint8]
) -> TinyAutoencoder:
    """An autoencoder of `config`, which has more latent channels than `narrow` and is otherwise its shape.

    `pictures` (N, H, W, 3) show what `narrow` cannot hold. Of equal channels the weights are equal.
    """
    wide = TinyAutoencoder(config)
    wide.load_state_dict(_padded_state(narrow, wide))
    known = narrow.to_latent.out_channels
    if known == config.latent_channels:
        return wide
    seen = to_tensor(pictures)
    lost = torch.cat([each - narrow.decode(narrow.encode(each)) for each in torch.split(seen, 16)])
    tiles, errors = (flat_tiles(each, config.downscale) for each in (seen, lost))
    _, vectors = torch.linalg.eigh(torch.cov(errors.T))  # ascending
    components = vectors[:, known - config.latent_channels :].flip(1).T
    mean = tiles.mean(dim=0)
    along = (tiles - mean) @ components.T
    # Halfway to unit deviation, as `TinyAutoencoder.start_linear` leaves the others.
    gain = along.std(dim=0).sqrt()
    wide.to_latent.weight[known:] = (components / gain[:, None]).view_as(wide.to_latent.weight[known:])
    wide.to_latent.bias[known:] = -(components @ mean) / gain  # type: ignore[index]
    back = torch.linalg.lstsq(along / gain, errors - errors.mean(dim=0)).solution
    wide.to_picture.weight[known:] = back.view_as(wide.to_picture.weight[known:])
    return wide


@torch.no_grad()
def widened_unet(narrow: UNet2DConditionModel, before: ModelConfig, config: ModelConfig) -> UNet2DConditionModel:
    """A U-Net of `config` that says of the latent channels of `before`, `narrow`'s model, what `narrow` says.

    Both models are told the same conditions in the same order; `config`'s latents have at least as many channels.
    """
    wide = build_unet(config)
    state = _padded_state(narrow, wide)
    read = [config.channels_of(name).start + i for name, count in before.conditions for i in range(count)]
    state["conv_in.weight"] = torch.zeros_like(wide.conv_in.weight)
    state["conv_in.weight"][:, read] = narrow.conv_in.weight
    wide.load_state_dict(state)
    return wide


def _padded_state(narrow: nn.Module, wide: nn.Module) -> dict[str, torch.Tensor]:
    """The weights of `narrow`, with zeros behind each axis up to the shapes of `wide`'s."""
    known = narrow.state_dict()
    return {name: _padded(known[name], tensor.shape) for name, tensor in wide.state_dict().items()}


def _padded(weight: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    ends = [wanted - here for wanted, here in zip(shape, weight.shape, strict=True)]
    return functional.pad(weight, [side for end in reversed(ends) for side in (0, end)])

"""Checkpoints in the original format of latent diffusion (CompVis): whose key is which of diffusers'."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint

from lite_vton.errors import UserError
from lite_vton.presets import AutoencoderKLConfig, UNetConfig

__all__ = ["AUTOENCODER", "UNET", "autoencoder_names", "averaged", "unet_names"]

UNET, AUTOENCODER = "model.diffusion_model.", "first_stage_model."
"""What the names of each network begin with."""

_AVERAGE = "model_ema."


def averaged(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The U-Net's moving average in place of its weights, where there is one: what its authors sample with."""
    average = {
        name: _AVERAGE + name.removeprefix("model.").replace(".", "") for name in weights if name.startswith(UNET)
    }
    return weights | {name: weights[kept] for name, kept in average.items() if kept in weights}


def unet_names(names: Iterable[str], config: UNetConfig) -> dict[str, str]:
    """diffusers' name of each of these weights of a U-Net, and what it is called here; `UserError` for unknown ones."""
    if len(set(config.layers_per_block)) > 1:
        raise UserError("the preset's levels have different depths, which no original checkpoint has: choose another")
    depth = {"layers_per_block": config.layers_per_block[0]}
    return _renamed(names, lambda numbered: convert_ldm_unet_checkpoint(numbered, depth))


def autoencoder_names(names: Iterable[str], config: AutoencoderKLConfig) -> dict[str, str]:
    """As `unet_names`, of an autoencoder."""
    levels = dict.fromkeys(("down_block_types", "up_block_types"), config.channels)  # only their number is read
    return _renamed(names, lambda numbered: convert_ldm_vae_checkpoint(numbered, levels))


def _renamed(
    names: Iterable[str], convert: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]
) -> dict[str, str]:
    # diffusers' converters only rename, so they are given numbers in place of weights: nothing large is read or copied.
    given = list(names)
    found = convert({name: torch.tensor(number) for number, name in enumerate(given)})
    renamed = {theirs: given[int(number)] for theirs, number in found.items()}
    unknown = sorted(set(given) - set(renamed.values()))
    if unknown:
        raise UserError(f"the source has {unknown[0]}{_more(unknown)}, which Stable Diffusion has not: choose another")
    return renamed


def _more(names: list[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""

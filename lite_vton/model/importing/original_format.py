"""Networks in one file: which of its names are whose, and what the original format (CompVis) is called in diffusers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint

from lite_vton.model.importing.kinds import MisfitError
from lite_vton.presets.config import AutoencoderKLConfig, UNetConfig

__all__ = ["Found", "autoencoder_names", "averaged", "find_autoencoder", "find_unet", "unet_names"]

_AVERAGE = "model_ema."

_ADDED = ("warp_flow_blks.", "warp_zero_convs.")
"""What StableVITON adds to a U-Net: its reading of the garment's network."""


_WHOLE_MODEL = "model.diffusion_model."
"""What a U-Net's names begin with in a checkpoint of a whole model, and what diffusers' converter looks for."""

_FIRST_AND_LAST = (
    ("input_blocks.0.0.weight", ("time_embed.0.weight", "out.2.weight")),
    ("conv_in.weight", ("time_embedding.linear_1.weight", "conv_out.weight")),
)
"""Weights that a U-Net has in the original format, and by diffusers' names."""


@dataclass(frozen=True)
class Found:
    """A network in a file: what its names begin with, and whether the rest is as in the original format."""

    prefix: str
    original: bool


def find_unet(names: Iterable[str]) -> Found | None:
    """Where the U-Net is, in a whole model or alone. A network without an output (a ControlNet) is none."""
    given = set(names)
    if any(name.startswith(_WHOLE_MODEL) for name in given):
        return Found(_WHOLE_MODEL, original=True)
    found = [
        Found(name.removesuffix(first), first.startswith("input"))
        for first, others in _FIRST_AND_LAST
        for name in given
        if name.endswith(first) and all(name.removesuffix(first) + other in given for other in others)
    ]
    return min(found, key=lambda each: (len(each.prefix), each.prefix), default=None)


def find_autoencoder(names: Iterable[str]) -> Found | None:
    """Where Stable Diffusion's autoencoder is, in a whole model or alone."""
    given = set(names)
    first = "encoder.conv_in.weight"
    found = [
        Found(prefix, not any(f"{prefix}encoder.down_blocks.{rest}" in given for rest in _FIRST_OF_LEVEL))
        for name in given
        if name.endswith(first) and f"{(prefix := name.removesuffix(first))}decoder.conv_in.weight" in given
    ]
    return min(found, key=lambda each: (len(each.prefix), each.prefix), default=None)


_FIRST_OF_LEVEL = ("0.resnets.0.norm1.weight", "0.resnets.0.conv1.weight")


def averaged(weights: dict[str, torch.Tensor], found: Found) -> dict[str, torch.Tensor]:
    """Each weight's moving average in its place, where there is one: what its authors sample with."""
    average = {name: _AVERAGE + name.removeprefix("model.").replace(".", "") for name in weights}
    if not found.prefix.startswith("model."):  # an autoencoder's, within or alone
        inner = {name: name.removeprefix(found.prefix).replace(".", "") for name in weights}
        average = {name: f"{found.prefix}{_AVERAGE}{rest}" for name, rest in inner.items()}
    return weights | {
        name: weights[kept] for name, kept in average.items() if name.startswith(found.prefix) and kept in weights
    }


def unet_names(names: Iterable[str], found: Found, config: UNetConfig) -> tuple[dict[str, str], int]:
    """diffusers' name of each of these weights of a U-Net, and what it is called here; how many StableVITON added.

    Raises `MisfitError` for names that Stable Diffusion's has not, and for a preset that is built otherwise.
    """
    given = [name for name in names if name.startswith(found.prefix)]
    added = [name for name in given if name.removeprefix(found.prefix).startswith(_ADDED)]
    kept = [name for name in given if name not in set(added)]
    if not found.original:
        return {name.removeprefix(found.prefix): name for name in kept}, len(added)
    if len(set(config.layers_per_block)) > 1:
        raise MisfitError("the preset's levels have different depths, which no original checkpoint has")
    depth = {"layers_per_block": config.layers_per_block[0]}
    renamed = _renamed(kept, found.prefix, _WHOLE_MODEL, lambda numbered: convert_ldm_unet_checkpoint(numbered, depth))
    return renamed, len(added)


def autoencoder_names(names: Iterable[str], found: Found, config: AutoencoderKLConfig) -> dict[str, str]:
    """As `unet_names`, of an autoencoder. What only its training needed (`loss`, its average) is passed over."""
    parts = tuple(f"{found.prefix}{part}" for part in ("encoder.", "decoder.", "quant_conv.", "post_quant_conv."))
    given = [name for name in names if name.startswith(parts)]
    if not found.original:
        return {name.removeprefix(found.prefix): name for name in given}
    levels = dict.fromkeys(("down_block_types", "up_block_types"), config.channels)  # only their number is read
    prefix = "first_stage_model."
    return _renamed(given, found.prefix, prefix, lambda numbered: convert_ldm_vae_checkpoint(numbered, levels))


def _renamed(
    names: Iterable[str],
    theirs: str,
    known: str,
    convert: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]],
) -> dict[str, str]:
    # diffusers' converters only rename, so they are given numbers in place of weights: nothing large is read or copied.
    given = list(names)
    numbered = {known + name.removeprefix(theirs): torch.tensor(number) for number, name in enumerate(given)}
    try:
        found = convert(numbered)
    except (KeyError, IndexError, ValueError) as error:  # a block that Stable Diffusion's has is missing
        raise MisfitError(f"the source lacks {str(error)[:100]}, which Stable Diffusion has") from error
    renamed = {name: given[int(number)] for name, number in found.items()}
    unknown = sorted(set(given) - set(renamed.values()))
    if unknown:
        raise MisfitError(f"the source has {unknown[0]}{_more(unknown)}, which Stable Diffusion has not")
    return renamed


def _more(names: list[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""

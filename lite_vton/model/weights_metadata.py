"""What a file of weights says of itself in its safetensors header, read without loading the weights.

    preset         the model's name (`lite_vton.presets.table.PRESETS`)
    latent_scale   what latents are multiplied by to have unit variance, a decimal number
    default_steps  the number of sampling steps, where it is not the preset's
    mask, pose     how the model is conditioned, where it is not as usual (`lite_vton.presets.conditioning`)
    autoencoder    the kind of autoencoder, where it is not the preset's (`lite_vton.presets.autoencoders.KINDS`)

A file without `preset` is somebody else's: what else stands in its header is passed over.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lite_vton.errors import UserError
from lite_vton.presets.conditioning import from_metadata
from lite_vton.presets.config import ModelConfig
from lite_vton.presets.table import PRESETS, preset

__all__ = ["SAME_SCALE", "SCALES", "latent_scale_of", "metadata_of", "model_of"]

SCALES = (1e-3, 1e3)
"""The smallest and the largest latent scale taken for one: Stable Diffusion has 0.18, those trained here are near 1."""

SAME_SCALE = 1e-3
"""How far, in proportion, two scales of one latent space may lie apart: they are written in different precisions."""

_KEYS = frozenset({"preset", "latent_scale", "default_steps", "mask", "pose", "autoencoder", "format"})
"""What is read here, and diffusers' own mark of the library that wrote the file."""

_LONGEST = 40
"""Characters of a value: the longest is a number with all of its digits."""

_SWITCH = ("on", "off")

_RETRAIN = "copy the file again, or train it again"


def metadata_of(file: Path) -> dict[str, str]:
    """The metadata of a safetensors file, empty where it has none.

    `UserError` for a file that is damaged, or that is of ours and says something, or is of a preset, not known here.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as opened:
            metadata: dict[str, str] = opened.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise UserError(f"{file} is not a readable safetensors file ({error}): {_RETRAIN}") from error
    if "preset" in metadata:
        _refuse_unknown(metadata, file)
    return metadata


def model_of(metadata: Mapping[str, str], file: Path) -> ModelConfig:
    """The model that the U-Net of `file`, with this metadata, was trained as, its number of steps included.

    `UserError` where the preset is not said, or something is no value that it can have.
    """
    if "preset" not in metadata:
        raise UserError(f"{file} does not say which preset it is of: train it with `lite-vton train`")
    if metadata.get("pose", "on") not in _SWITCH:
        raise UserError(f"{file} says the pose is {metadata['pose']!r}, not on or off: {_RETRAIN}")
    try:
        config = from_metadata(preset(metadata["preset"]), metadata)
    except UserError as error:
        raise UserError(f"{file} says something of its weights that cannot be ({error}): {_RETRAIN}") from error
    if "default_steps" not in metadata:
        return config
    steps, most = metadata["default_steps"], config.schedule.num_train_timesteps
    if not re.fullmatch(r"[0-9]{1,6}", steps) or not 1 <= int(steps) <= most:
        raise UserError(f"{file} says it samples in {_short(steps)} steps, not in 1 to {most}: {_RETRAIN}")
    return replace(config, default_steps=int(steps))


def latent_scale_of(metadata: Mapping[str, str], file: Path, usual: float) -> float:
    """The scale of the latents that the file says, `usual` where it says none; `UserError` outside of `SCALES`."""
    said = metadata.get("latent_scale")
    if said is None:
        return usual
    try:
        scale = float(said)
    except ValueError:
        scale = math.nan
    least, most = SCALES
    if not least <= scale <= most:
        raise UserError(f"{file} scales latents by {_short(said)}, not by {least:g} to {most:g}: {_RETRAIN}")
    return scale


def _refuse_unknown(metadata: Mapping[str, str], file: Path) -> None:
    unknown = sorted(metadata.keys() - _KEYS) + [name for name, value in metadata.items() if len(value) > _LONGEST]
    if metadata["preset"] not in PRESETS:
        unknown.append("preset")
    if unknown:
        name = unknown[0]
        raise UserError(
            f"{file} says {_short(name)} of its weights, {_short(metadata[name])}, which is not known here: "
            "update lite-vton if a newer one wrote it, or train it again"
        )


def _short(text: str) -> str:
    return repr(text if len(text) <= _LONGEST else text[:_LONGEST] + "...")

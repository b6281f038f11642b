"""Somebody's autoencoder of Stable Diffusion's latent space: a diffusers folder, one file, or TAESD."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from diffusers import AutoencoderKL

from lite_vton.errors import UserError
from lite_vton.libraries.hub_cache import checkpoint_at
from lite_vton.model.importing.files import Weights, read_component, read_json, read_weights
from lite_vton.model.importing.original_format import autoencoder_names, averaged, find_autoencoder
from lite_vton.model.importing.settings import compare
from lite_vton.model.weights_metadata import SCALES
from lite_vton.presets.autoencoders import with_autoencoder
from lite_vton.presets.config import AutoencoderKLConfig, ModelConfig

__all__ = ["FoundAutoencoder", "autoencoder_in", "read_autoencoder"]


@dataclass(frozen=True)
class FoundAutoencoder:
    """Weights by the names of our module of `kind` (`lite_vton.presets.autoencoders.KINDS`); the scale where it is
    said.
    """

    weights: Weights
    latent_scale: float | None = None
    kind: str = "kl"


def read_autoencoder(path: Path, config: ModelConfig) -> FoundAutoencoder:
    """The autoencoder at `path`: a folder of diffusers (or the pipeline above its `vae`), a file, or TAESD's two files.

    `config` is the preset it is for. Raises `UserError` for one that is missing, damaged or of another shape.
    """
    path = checkpoint_at(path)
    if path.is_dir():
        folder = path / "vae" if (path / "vae").is_dir() else path
        pair = _taesd_files(folder)
        if pair is not None and not (folder / "config.json").is_file():
            return _taesd_of_files(*pair, config)
        return _folder(folder, config)
    beside = path.with_name("config.json")
    pair = _taesd_files(path.parent) if path.stem.startswith("tae") else None
    if pair is not None and path in pair:
        return _taesd_of_files(*pair, config)
    weights = read_weights(path)
    if any(name.startswith("encoder.layers.") for name in weights):
        return _taesd(weights, read_json(beside) if beside.is_file() else {}, path, config)
    found = autoencoder_in(weights, config)
    if found is None:
        raise UserError(f"{path} holds no autoencoder of Stable Diffusion's kind: give its file or folder, or TAESD's")
    scale = _scale(read_json(beside), beside, config) if beside.is_file() else None
    return FoundAutoencoder(found, scale)


def autoencoder_in(weights: Weights, config: ModelConfig) -> Weights | None:
    """Stable Diffusion's autoencoder in a file's weights, alone or in a whole model; None where there is none."""
    found = find_autoencoder(weights)
    if found is None:
        return None
    weights = averaged(weights, found)
    names = autoencoder_names(weights, found, _kl(config))
    return {_since_renamed(name): weights[theirs] for name, theirs in names.items()}


def _kl(config: ModelConfig) -> AutoencoderKLConfig:
    shape = with_autoencoder(config, "kl").autoencoder
    assert isinstance(shape, AutoencoderKLConfig)
    return shape


def _folder(folder: Path, config: ModelConfig) -> FoundAutoencoder:
    file = folder / "config.json"
    settings = read_json(file)
    kind = settings.get("_class_name", "AutoencoderKL")
    if kind == "AutoencoderTiny":
        return _taesd(read_component(folder), settings, file, config)
    if kind != "AutoencoderKL":
        raise UserError(
            f"{file} is of {str(kind)[:60]}, another kind of autoencoder: give Stable Diffusion 1's or TAESD"
        )
    scale = _scale(settings, file, config)
    weights = {_since_renamed(name): tensor for name, tensor in read_component(folder).items()}
    return FoundAutoencoder(weights, scale)


def _scale(settings: Mapping[str, object], file: Path, config: ModelConfig) -> float:
    """The latent scale in an `AutoencoderKL`'s settings, which are compared with the preset's."""
    shape = _kl(config)
    ours: dict[str, object] = {
        "block_out_channels": shape.channels,
        "layers_per_block": shape.layers_per_block,
        "norm_num_groups": shape.norm_groups,
        "latent_channels": shape.latent_channels,
        "act_fn": "silu",
        "shift_factor": None,
        "latents_mean": None,
        "latents_std": None,
        "use_quant_conv": True,
        "use_post_quant_conv": True,
        "mid_block_add_attention": True,
    }
    try:
        compare(settings, ours, AutoencoderKL, file)
    except UserError as error:
        raise UserError(
            f"{error}: give Stable Diffusion 1's autoencoder, or choose another preset or source"
        ) from error
    scale = settings.get("scaling_factor", 0.18215)
    if not isinstance(scale, int | float) or isinstance(scale, bool):
        raise UserError(f"{file} has scaling_factor {str(scale)[:60]!r}, which is no number: copy it again")
    least, most = SCALES
    if not least <= scale <= most:
        raise UserError(f"{file} has scaling_factor {scale}, not {least:g} to {most:g}: copy it again")
    return float(scale)


_RENAMED = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""Names in an autoencoder's attention: those that Stable Diffusion 1's files were written with, and today's."""


def _since_renamed(name: str) -> str:
    head, _, rest = name.partition(".mid_block.attentions.0.")
    old, _, kind = rest.partition(".")
    return f"{head}.mid_block.attentions.0.{_RENAMED[old]}.{kind}" if old in _RENAMED else name


# TAESD

_CLAMP = 1
"""Layers before the first convolution of the authors' decoder: it clips, which diffusers does outside of its layers."""


def _taesd_files(folder: Path) -> tuple[Path, Path] | None:
    """Encoder and decoder as the authors publish them, two files of one stem."""
    for encoder in sorted(folder.glob("tae*_encoder.*")):
        decoder = encoder.with_name(encoder.name.replace("_encoder.", "_decoder."))
        if encoder.suffix in (".pth", ".safetensors") and decoder.is_file():
            return encoder, decoder
    return None


def _taesd_of_files(encoder: Path, decoder: Path, config: ModelConfig) -> FoundAutoencoder:
    weights: Weights = {}
    for part, file, skipped in (("encoder", encoder, 0), ("decoder", decoder, _CLAMP)):
        for name, tensor in read_weights(file).items():
            number, _, rest = name.partition(".")
            if not number.isdecimal():
                raise UserError(f"{file} has {name[:60]}, which no layer of TAESD is called: copy it again")
            weights[f"{part}.layers.{int(number) - skipped}.{rest}"] = tensor
    return _taesd(weights, {}, encoder, config)


def _taesd(weights: Weights, settings: Mapping[str, object], file: Path, config: ModelConfig) -> FoundAutoencoder:
    if re.search(r"tae(sd)?(xl|sd3|f1|3)", f"{file.parent.name}/{file.name}"):
        raise UserError(f"{file} is for another latent space than Stable Diffusion 1's: give TAESD itself (taesd)")
    scale = settings.get("scaling_factor", 1.0)
    if scale != 1.0 or settings.get("latent_channels", 4) != 4 or settings.get("act_fn", "relu") != "relu":
        raise UserError(f"{file} is no TAESD of Stable Diffusion 1's latents, which scale by 1 and have 4 channels")
    chosen = with_autoencoder(config, "taesd").autoencoder
    named = {f"network.{name}": tensor for name, tensor in weights.items()}
    return FoundAutoencoder(named, chosen.latent_scale, "taesd")

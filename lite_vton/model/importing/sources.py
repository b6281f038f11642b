"""Somebody's U-Net, alone or in a whole model, with what lies beside it, by diffusers' names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel

from lite_vton.errors import UserError
from lite_vton.model.importing.autoencoder_sources import FoundAutoencoder, autoencoder_in, read_autoencoder
from lite_vton.model.importing.files import COMPONENT, Weights, read_component, read_json, read_weights
from lite_vton.model.importing.kinds import MisfitError, kind_of_names, kind_of_settings
from lite_vton.model.importing.noise_settings import check_noise
from lite_vton.model.importing.original_format import Found, averaged, find_unet, unet_names
from lite_vton.model.importing.settings import compare
from lite_vton.model.unet import build_unet
from lite_vton.presets.config import AutoencoderKLConfig, ModelConfig

__all__ = ["Source", "read_source"]


@dataclass(frozen=True)
class Source:
    """A checkpoint by diffusers' names.

    `layout` is a row of `lite_vton.model.importing.channel_layouts.LAYOUTS` if the checkpoint says which; `token` (1,
    1, D) is what its U-Net was shown in place of a garment's token, where it was trained on both; `reader` are the
    weights that make a garment's picture such a token, by the names of diffusers' `PaintByExampleImageEncoder`.
    `autoencoder` is None where it has none. `notes` say what was left out. `fits` tells whether the U-Net is built as a
    preset's.
    """

    unet: Weights
    fits: Callable[[ModelConfig], bool]
    autoencoder: FoundAutoencoder | None = None
    layout: str | None = None
    token: torch.Tensor | None = None
    reader: Weights | None = None
    notes: tuple[str, ...] = ()


def read_source(path: Path, config: ModelConfig, *, autoencoder: bool) -> Source:
    """The U-Net at `path` for the preset `config`, and its autoencoder if `autoencoder` says it is wanted.

    `path` is a diffusers pipeline, a folder or file of its U-Net alone, or a file in the original format. Raises
    `MisfitError` for a network that is built otherwise, `UserError` for one that is missing, damaged or no U-Net.
    """
    if not path.is_dir():
        return _file(path, config, autoencoder=autoencoder)
    if (path / "unet").is_dir():
        return _pipeline(path, config, autoencoder=autoencoder)
    return _unet_folder(path, config, _refuse_folder(path))


# Folders of diffusers

_LAYOUT_OF_PIPELINE = {
    "StableDiffusionPipeline": "stable-diffusion",
    "StableDiffusionInpaintPipeline": "inpainting",
    "PaintByExamplePipeline": "paint-by-example",
}
"""What a diffusers pipeline calls itself, to what its channels are."""

_OF_NO_MATTER = frozenset({"sample_size", "in_channels", "cross_attention_dim", "upcast_attention", "dropout"})
"""Settings of a U-Net that change nothing in float32, or are looked at elsewhere."""


def _refuse_folder(folder: Path) -> dict[str, object]:
    """The settings of a folder that is a U-Net's own; `UserError` for any other folder without a U-Net."""
    advice = "name the folder of a diffusers pipeline, or one .safetensors"
    for part in ("transformer", "prior"):
        if (folder / part).is_dir():
            raise UserError(
                f"{folder} has a {part} and no unet: this network is another kind, which no preset is built as"
            )
    settings = read_json(folder / "config.json") if (folder / "config.json").is_file() else {}
    kind = settings.get("_class_name")
    if kind == "UNet2DConditionModel":
        return settings
    if isinstance(kind, str) and kind.startswith("Autoencoder"):
        raise UserError(f"{folder} has no folder unet, it is an autoencoder: give it with --autoencoder beside a U-Net")
    attention = [place for place in (folder, *sorted(folder.glob("*"))) if (place / "attention").is_dir()]
    if attention:
        raise UserError(
            f"{folder} has no folder unet, it is CatVTON's self-attention: import Stable Diffusion inpainting, "
            "with this as --attention"
        )
    if isinstance(kind, str) or "architectures" in settings:
        named = kind if isinstance(kind, str) else settings["architectures"]
        raise UserError(f"{folder} has no folder unet, it is of {str(named)[:60]}, which no preset is built as")
    files = sorted(file.name for suffix in ("safetensors", "ckpt", "pth", "pt") for file in folder.glob(f"*.{suffix}"))
    if files:
        some = ", ".join(files[:3])
        raise UserError(f"{folder} has no folder unet: name one of its files ({some}), or the folder of a pipeline")
    raise UserError(f"{folder} has no folder unet: {advice}")


def _pipeline(folder: Path, config: ModelConfig, *, autoencoder: bool) -> Source:
    source = _unet_folder(folder / "unet", config, read_json(folder / "unet/config.json"))
    scheduler = folder / "scheduler/scheduler_config.json"
    if scheduler.is_file():
        check_noise(read_json(scheduler), scheduler, config.schedule)
    index = read_json(folder / "model_index.json") if (folder / "model_index.json").is_file() else {}
    layout = _LAYOUT_OF_PIPELINE.get(str(index.get("_class_name")))
    first = source.unet.get("conv_in.weight")
    if first is not None and (first.ndim != 4 or first.shape[1] != 9):
        layout = None  # the number of channels says it, whatever the pipeline calls itself
    found = replace(source, layout=layout)
    if (folder / "image_encoder").is_dir():
        # Paint-by-Example's in diffusers keeps the token for no garment beside its tower; others have another tower.
        reader = read_component(folder / "image_encoder", ("model", "pytorch_model"))
        if "uncond_vector" in reader:
            found = replace(found, token=reader["uncond_vector"], reader=reader)
    if not autoencoder or not (folder / "vae").is_dir():
        return found
    return replace(found, autoencoder=read_autoencoder(folder / "vae", config))


def _unet_folder(folder: Path, config: ModelConfig, settings: dict[str, object]) -> Source:
    file = folder / "config.json"

    def fits(other: ModelConfig) -> bool:
        return _is_built_so(settings, file, other)

    kind = kind_of_settings(settings)
    if kind is not None and not fits(config):
        raise UserError(f"{file} says it is {kind}: this network is another kind, which no preset is built as")
    try:
        compare(settings, _settings(config), UNet2DConditionModel, file)
    except MisfitError as error:
        raise _with(error, fits) from error
    return Source(read_component(folder), fits)


def _is_built_so(settings: dict[str, object], file: Path, config: ModelConfig) -> bool:
    if not _is_stable_diffusions(config):
        return False
    try:
        compare(settings, _settings(config), UNet2DConditionModel, file)
    except MisfitError:
        return False
    return True


def _settings(config: ModelConfig) -> dict[str, object]:
    with torch.device("meta"):
        unet = build_unet(config)
    return {
        name: value for name, value in unet.config.items() if not name.startswith("_") and name not in _OF_NO_MATTER
    }


def _is_stable_diffusions(config: ModelConfig) -> bool:
    return isinstance(config.autoencoder, AutoencoderKLConfig) and config.unet.residual_deviation is None


# One file


def _file(file: Path, config: ModelConfig, *, autoencoder: bool) -> Source:
    weights = read_weights(file)
    found = find_unet(weights)
    if found is None:
        kind = kind_of_names(weights)
        if kind is not None:
            raise UserError(f"{file} is {kind}")
        raise UserError(
            f"{file} is no checkpoint in the original format (nothing in it is called model.diffusion_model.*), and no "
            "U-Net by diffusers' names: this network is another kind, which no preset is built as"
        )

    def fits(other: ModelConfig) -> bool:
        return _has_shapes_of(weights, found, other)

    kind = kind_of_names((name for name in weights if name.startswith(found.prefix)), has_unet=True)
    if kind is not None:
        raise UserError(f"{file} is {kind}")
    weights = averaged(weights, found)
    try:
        names, added = unet_names(weights, found, config.unet)
    except MisfitError as error:
        raise _with(error, fits) from error
    beside = file.with_name("config.json")
    if file.stem.startswith(COMPONENT) and beside.is_file():
        compare(read_json(beside), _settings(config), UNet2DConditionModel, beside)
    network = {name: weights[theirs] for name, theirs in names.items()}
    inside = autoencoder_in(weights, config) if autoencoder else None
    notes: tuple[str, ...] = ()
    if added or any(name.startswith("control_model.") for name in weights):
        notes = (
            "the garment's network of StableVITON: left out, so answers differ until it is trained (the warped garment "
            "takes its place)",
        )
    return Source(
        network,
        fits,
        autoencoder=None if inside is None else FoundAutoencoder(inside),
        layout=_layout(weights, network, stableviton=bool(notes)),
        token=weights.get("learnable_vector"),
        reader=_reader(weights),
        notes=notes,
    )


def _layout(weights: Weights, unet: Weights, *, stableviton: bool) -> str | None:
    first = unet.get("conv_in.weight")
    channels = 0 if first is None or first.ndim != 4 else first.shape[1]
    if channels == 13:
        return "stableviton" if stableviton else None
    if channels != 9:
        return None
    if "learnable_vector" in weights:
        return "paint-by-example"
    return "inpainting" if any("text_model" in name for name in weights) else None


def _has_shapes_of(weights: Weights, found: Found, config: ModelConfig) -> bool:
    """Whether a file's U-Net has the shapes of a preset's, whatever it is told by channels and tokens."""
    if not _is_stable_diffusions(config):
        return False
    try:
        names, _ = unet_names(weights, found, config.unet)
    except MisfitError:
        return False
    with torch.device("meta"):
        wanted = {name: weight.shape for name, weight in build_unet(config).state_dict().items()}
    apart = ("conv_in.", "attn2.", "norm2.")
    theirs = {name: weights[theirs].squeeze().shape for name, theirs in names.items()}
    return {name: shape for name, shape in theirs.items() if not _has_any(name, apart)} == {
        name: torch.empty(shape, device="meta").squeeze().shape
        for name, shape in wanted.items()
        if not _has_any(name, apart)
    }


def _has_any(name: str, parts: tuple[str, ...]) -> bool:
    return any(part in name for part in parts)


def _with(error: MisfitError, fits: Callable[[ModelConfig], bool]) -> MisfitError:
    error.fits = fits
    return error


# The garment's token

_READER = "cond_stage_model."


def _reader(weights: Weights) -> Weights | None:
    """DCI-VTON's and Paint-by-Example's reader of a garment, by diffusers' names; None where it is not whole."""
    renamed: Weights = {}
    blocks = {"attn.c_proj": "attn1.to_out.0", "ln_1": "norm1", "ln_2": "norm3"}
    blocks |= {"mlp.c_fc": "ff.net.0.proj", "mlp.c_proj": "ff.net.2"}
    for name, tensor in weights.items():
        if name.startswith("proj_out."):
            renamed[name] = tensor
        elif name.startswith(f"{_READER}final_ln."):
            renamed[name.replace(f"{_READER}final_ln.", "final_layer_norm.")] = tensor
        elif name.startswith(f"{_READER}transformer."):
            renamed[name.replace(f"{_READER}transformer.", "model.")] = tensor
        elif name.startswith(f"{_READER}mapper.resblocks."):
            number, _, rest = name.removeprefix(f"{_READER}mapper.resblocks.").partition(".")
            layer, _, kind = rest.rpartition(".")
            place = f"mapper.blocks.{number}"
            if layer == "attn.c_qkv":
                for part, value in zip("qkv", tensor.chunk(3), strict=True):
                    renamed[f"{place}.attn1.to_{part}.{kind}"] = value
            elif layer in blocks:
                renamed[f"{place}.{blocks[layer]}.{kind}"] = tensor
    return renamed or None

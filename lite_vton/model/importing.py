"""Networks of ours out of other people's checkpoints: the same answers, behind our channels."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn

from lite_vton.errors import UserError
from lite_vton.model.channel_layouts import in_our_order, layout_of
from lite_vton.model.checkpoint_files import read_component, read_json, read_weights
from lite_vton.model.image_encoder import load_image_encoder
from lite_vton.model.networks import Networks, build_networks
from lite_vton.model.original_format import AUTOENCODER, UNET, autoencoder_names, averaged, unet_names
from lite_vton.model.unet import adapt
from lite_vton.presets import AutoencoderKLConfig, ModelConfig

__all__ = ["Imported", "import_networks"]

Weights = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Imported:
    """Networks, and what became of the source's parts on the way, a line each."""

    networks: Networks
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Source:
    """A checkpoint by diffusers' names.

    `layout` is a row of `LAYOUTS` if the checkpoint says which, `unconditional` (1, 1, D) the token it was trained on
    in place of a garment's, where it has one. `autoencoder` is empty where it has none.
    """

    unet: Weights
    autoencoder: Weights
    latent_scale: float | None = None
    layout: str | None = None
    unconditional: torch.Tensor | None = None


def import_networks(
    source: Path,
    config: ModelConfig,
    *,
    layout: str | None = None,
    autoencoder: Path | None = None,
    attention: Path | None = None,
    image_encoder: Path | None = None,
) -> Imported:
    """Networks of `config` that answer as `source`'s do, float32.

    `source` is a folder of a diffusers pipeline, or a file in the original format. `layout` names the order of its
    channels where it does not say. `autoencoder` is a diffusers folder of another one, `attention` CatVTON's weights on
    top, `image_encoder` the CLIP that presets with one need. Cross-attention that the preset has not is dropped.
    Weights in float32 stay on the disk until they are read. Raises `UserError` for a source that is missing, damaged
    or of another shape.
    """
    shape = config.autoencoder
    _refuse(config, attention, image_encoder)
    assert isinstance(shape, AutoencoderKLConfig)
    with torch.device("meta"):
        made = build_networks(replace(config, image_encoder=None))
    assert isinstance(made.unet, UNet2DConditionModel)
    read = _diffusers_folder if source.is_dir() else _original_file
    found = read(source, config, made.unet)
    if autoencoder is not None:
        weights, scale = _autoencoder_folder(autoencoder, shape)
        found = replace(found, autoencoder=weights, latent_scale=scale)
    if not found.autoencoder:
        raise UserError(f"{source} has no autoencoder: name a folder of one with --autoencoder")
    _fill(made.autoencoder, found.autoencoder, "autoencoder", config.name)
    unet, notes = _unet_weights(found, config, made.unet, layout, attention)
    _fill(made.unet, unet, "U-Net", config.name)
    networks = replace(
        made,
        config=config,
        latent_scale=shape.latent_scale if found.latent_scale is None else found.latent_scale,
        image_encoder=None
        if config.image_encoder is None or image_encoder is None
        else load_image_encoder(config.image_encoder, image_encoder),
    )
    return Imported(networks, notes)


def _refuse(config: ModelConfig, attention: Path | None, image_encoder: Path | None) -> None:
    if not isinstance(config.autoencoder, AutoencoderKLConfig) or config.unet.residual_deviation is not None:
        raise UserError(f"preset {config.name!r} is not built as Stable Diffusion is: import as teacher or mp-vton")
    if config.image_encoder is not None and image_encoder is None:
        raise UserError(f"preset {config.name!r} looks at the garment through CLIP: name its folder, --image-encoder")
    if config.image_encoder is None and image_encoder is not None:
        raise UserError(f"preset {config.name!r} has no image encoder: leave --image-encoder out, or import as mp-vton")
    if config.unet.cross_attention is not None and attention is not None:
        raise UserError(f"CatVTON has no cross-attention, preset {config.name!r} has: import as teacher")


# The U-Net: what is dropped, put on top, and brought into our order

_CROSS = re.compile(r"(.*transformer_blocks\.\d+)\.(attn2|norm2)\.")


def _unet_weights(
    source: _Source, config: ModelConfig, unet: UNet2DConditionModel, layout: str | None, attention: Path | None
) -> tuple[Weights, tuple[str, ...]]:
    weights, notes = dict(source.unet), []
    if "conv_in.weight" not in weights or "conv_in.bias" not in weights:
        raise UserError("the source's U-Net has no first convolution: copy the whole checkpoint")
    first = weights["conv_in.weight"].float(), weights["conv_in.bias"].float()
    chosen = layout_of(first[0].shape[1], layout or source.layout)
    weights |= in_our_order(*first, chosen, config)
    notes.append(f"conv_in: {chosen.channels} channels ({chosen.name}) to {config.unet_in_channels}")
    if chosen.keep_mask:
        notes.append("mask: inverted, as the source is told what to keep")
    if config.unet.cross_attention is not None:
        return weights, tuple(notes)
    crossing = {match[1] for name in weights if (match := _CROSS.match(name)) and match[2] == "attn2"}
    normed = attention is not None or not crossing  # a source without attn2 but with norm2 skips as CatVTON does
    if source.unconditional is not None and not normed:
        for block in crossing:
            _fold(weights, block, source.unconditional)
        notes.append(f"cross-attention: {len(crossing)} answers to the source's token for no garment, folded in")
    elif crossing:
        notes.append(f"cross-attention: {len(crossing)} dropped")
    if attention is not None:
        weights |= _catvton(attention, unet)
        notes.append(f"self-attention: {attention.name}")
    gone = {"attn2"} if normed else {"attn2", "norm2"}
    kept = {name: w for name, w in weights.items() if not ((match := _CROSS.match(name)) and match[2] in gone)}
    return kept, tuple(notes)


def _fold(weights: Weights, block: str, token: torch.Tensor) -> None:
    """Add a block's cross-attention to one token to its self-attention's bias.

    The softmax over one token is 1, so the answer is the same vector everywhere, and both are added to one stream.
    """
    value = weights[f"{block}.attn2.to_v.weight"].double() @ token.double().flatten()
    answer = (
        weights[f"{block}.attn2.to_out.0.weight"].double() @ value + weights[f"{block}.attn2.to_out.0.bias"].double()
    )
    name = f"{block}.attn1.to_out.0.bias"
    weights[name] = (weights[name].double() + answer).float()


def _catvton(path: Path, unet: UNet2DConditionModel) -> Weights:
    """CatVTON's self-attention by diffusers' names.

    It saves a list of all modules within an `attn1`, in diffusers' order and each weight once: so the numbers that have
    queries, ascending, are the self-attentions of a U-Net, one after the other.
    """
    given = read_component(path, ("model", "attention")) if path.is_dir() else read_weights(path)
    blocks = [name for name, _ in unet.named_modules() if name.endswith(".attn1")]
    numbers = sorted(int(match[1]) for name in given if (match := re.fullmatch(r"(\d+)\.to_q\.weight", name)))
    if len(numbers) != len(blocks):
        raise UserError(
            f"{path} holds {len(numbers)} self-attentions, the preset {len(blocks)}: give CatVTON's attention folder"
        )
    place = {str(number): block for number, block in zip(numbers, blocks, strict=True)}
    unknown = sorted(name for name in given if name.partition(".")[0] not in place)
    if unknown:
        raise UserError(f"{path} has {unknown[0]}, which is no self-attention: give CatVTON's attention folder")
    return {re.sub(r"^\d+", lambda number: place[number[0]], name): tensor for name, tensor in given.items()}


def _fill(module: nn.Module, weights: Weights, part: str, preset: str) -> None:
    """Give a module on the meta device these weights and no others, in float32; `UserError` names what does not fit."""
    if isinstance(module, UNet2DConditionModel):
        adapt(module, weights)
    wanted = module.state_dict()
    for names, says in ((set(wanted) - set(weights), "lacks {}, which preset {!r} needs"),
                        (set(weights) - set(wanted), "has {}, which preset {!r} has no place for")):  # fmt: skip
        if names:
            some = f"{min(names)}{f' and {len(names) - 1} more' if len(names) > 1 else ''}"
            raise UserError(f"the source's {part} {says.format(some, preset)}: choose another preset or source")
    state = {name: _linear(tensor, wanted[name]).float() for name, tensor in weights.items()}
    for name, tensor in state.items():
        if tensor.shape != wanted[name].shape:
            raise UserError(
                f"the source's {part} has {name} of shape {tuple(tensor.shape)}, preset {preset!r} "
                f"{tuple(wanted[name].shape)}: choose the preset it was made as"
            )
    module.load_state_dict(state, assign=True)
    module.requires_grad_(True).eval()


def _linear(tensor: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """A 1×1 convolution as the linear layer that diffusers has in its place."""
    return tensor.flatten(1) if wanted.ndim == 2 and tensor.shape[2:].numel() == 1 else tensor


# Sources

_LAYOUT_OF_PIPELINE = {
    "StableDiffusionPipeline": "stable-diffusion",
    "StableDiffusionInpaintPipeline": "inpainting",
    "PaintByExamplePipeline": "paint-by-example",
}
"""What a diffusers pipeline calls itself, to what its channels are."""

_NOISE = {
    "num_train_timesteps": 1000,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "prediction_type": "epsilon",
}
"""Stable Diffusion's noise, of which ours is the first part."""

_OF_NO_MATTER = frozenset({"sample_size", "in_channels", "cross_attention_dim", "upcast_attention", "dropout"})
"""Settings of a U-Net that change nothing in float32, or are looked at elsewhere."""


def _diffusers_folder(folder: Path, config: ModelConfig, unet: UNet2DConditionModel) -> _Source:
    if not (folder / "unet").is_dir():
        raise UserError(f"{folder} has no folder unet: name the folder of a diffusers pipeline, or one .safetensors")
    _compare(read_json(folder / "unet/config.json"), _settings(unet), UNet2DConditionModel, folder / "unet/config.json")
    scheduler = folder / "scheduler/scheduler_config.json"
    if scheduler.is_file():
        _compare(read_json(scheduler), _NOISE, None, scheduler)
    index = read_json(folder / "model_index.json") if (folder / "model_index.json").is_file() else {}
    layout = _LAYOUT_OF_PIPELINE.get(str(index.get("_class_name")))
    weights = read_component(folder / "unet")
    first = weights.get("conv_in.weight")
    if first is not None and first.shape[1] != 9:
        layout = None  # the number of channels says it, whatever the pipeline calls itself
    found = _Source(weights, {}, layout=layout, unconditional=_token_for_no_garment(folder))
    if not (folder / "vae").is_dir():
        return found
    assert isinstance(config.autoencoder, AutoencoderKLConfig)
    autoencoder, scale = _autoencoder_folder(folder / "vae", config.autoencoder)
    return replace(found, autoencoder=autoencoder, latent_scale=scale)


def _token_for_no_garment(folder: Path) -> torch.Tensor | None:
    """What Paint-by-Example's image encoder in diffusers keeps beside its tower; other pipelines have none."""
    if not (folder / "image_encoder").is_dir():
        return None
    return read_component(folder / "image_encoder", ("model", "pytorch_model")).get("uncond_vector")


def _settings(unet: UNet2DConditionModel) -> dict[str, object]:
    return {
        name: value for name, value in unet.config.items() if not name.startswith("_") and name not in _OF_NO_MATTER
    }


def _autoencoder_folder(folder: Path, shape: AutoencoderKLConfig) -> tuple[Weights, float]:
    folder = folder / "vae" if (folder / "vae").is_dir() else folder
    settings = read_json(folder / "config.json")
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
    _compare(settings, ours, AutoencoderKL, folder / "config.json")
    scale = settings.get("scaling_factor", 0.18215)
    if not isinstance(scale, int | float):
        raise UserError(f"{folder / 'config.json'} has scaling_factor {scale!r}, which is no number: copy it again")
    return {_since_renamed(name): tensor for name, tensor in read_component(folder).items()}, float(scale)


_RENAMED = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""Of an autoencoder's attention: the names that Stable Diffusion 1's files were written with, and today's."""


def _since_renamed(name: str) -> str:
    head, _, rest = name.partition(".mid_block.attentions.0.")
    old, _, kind = rest.partition(".")
    return f"{head}.mid_block.attentions.0.{_RENAMED[old]}.{kind}" if old in _RENAMED else name


def _compare(
    theirs: Mapping[str, object], ours: Mapping[str, object], made_by: Callable[..., object] | None, file: Path
) -> None:
    """`UserError` where settings differ; what is not said is what `made_by` takes by default."""
    defaults: dict[str, object] = {}
    if made_by is not None:
        defaults = {name: parameter.default for name, parameter in inspect.signature(made_by).parameters.items()}
    for name, wanted in ours.items():
        said = theirs.get(name, defaults.get(name, wanted))
        if _plain(said, wanted) != _plain(wanted, said):
            raise UserError(f"{file} says {name} is {said}, the preset has {wanted}: choose another preset or source")


def _plain(value: object, beside: object) -> object:
    """Lists as tuples; one number beside several as that many of it."""
    if isinstance(value, list | tuple):
        return tuple(value)
    return (value,) * len(beside) if isinstance(beside, list | tuple) else value


def _original_file(file: Path, config: ModelConfig, _: UNet2DConditionModel) -> _Source:
    weights = averaged(read_weights(file))
    unet, autoencoder = ([name for name in weights if name.startswith(prefix)] for prefix in (UNET, AUTOENCODER))
    if not unet:
        raise UserError(
            f"{file} is no checkpoint in the original format (nothing is called {UNET}*): "
            "name the folder of a diffusers pipeline, or the file of the whole model"
        )
    assert isinstance(config.autoencoder, AutoencoderKLConfig)
    token = weights.get("learnable_vector")
    first = weights.get(f"{UNET}input_blocks.0.0.weight")
    layout = None
    if first is not None and first.shape[1] == 9:
        layout = "inpainting" if token is None and any("text_model" in name for name in weights) else None
        layout = "paint-by-example" if token is not None else layout
    return _Source(
        {name: weights[theirs] for name, theirs in unet_names(unet, config.unet).items()},
        {name: weights[theirs] for name, theirs in autoencoder_names(autoencoder, config.autoencoder).items()},
        layout=layout,
        unconditional=token,
    )

"""Networks of ours out of other people's checkpoints: the same answers, behind our channels."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from lite_vton.errors import UserError
from lite_vton.libraries.hub_cache import checkpoint_at
from lite_vton.model.finite_weights import finite_float32
from lite_vton.model.image_encoder import load_image_encoder
from lite_vton.model.importing.autoencoder_sources import FoundAutoencoder, read_autoencoder
from lite_vton.model.importing.catvton import self_attention
from lite_vton.model.importing.channel_layouts import in_our_order, layout_of
from lite_vton.model.importing.files import Weights
from lite_vton.model.importing.garment_token import token_left_out
from lite_vton.model.importing.kinds import MisfitError, advice
from lite_vton.model.importing.sources import Source, read_source
from lite_vton.model.networks import Networks, build_networks, image_encoder_file, weights_metadata
from lite_vton.model.unet import adapt
from lite_vton.model.weights_writing import write_weights
from lite_vton.presets.autoencoders import with_autoencoder
from lite_vton.presets.config import AutoencoderKLConfig, ModelConfig

__all__ = ["Imported", "ImportedWeights", "import_networks", "import_weights"]


@dataclass(frozen=True)
class ImportedWeights:
    """Weights of the networks of `config` by our names, in the precision of the source, on the disk where they can be.

    `notes` say what became of the source's parts, a line each; `source` is what messages name.
    """

    source: Path
    config: ModelConfig
    autoencoder: Weights
    unet: Weights
    latent_scale: float
    image_encoder: nn.Module | None
    notes: tuple[str, ...]

    def write(self, autoencoder: Path, unet: Path) -> None:
        """Write the files that `lite_vton.model.networks.load_networks` reads, in float32, a weight after the other.

        Raises `UserError` for a weight that is NaN or infinite, `OSError` where there is no room.
        """
        metadata = weights_metadata(self.config, self.latent_scale)
        files = {autoencoder: self.autoencoder, unet: self.unet}
        if self.image_encoder is not None:
            files[image_encoder_file(unet)] = self.image_encoder.state_dict()
        for file, weights in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_weights(weights, file, metadata, str(self.source))


@dataclass(frozen=True)
class Imported:
    """Networks, and what became of the source's parts on the way, a line each."""

    networks: Networks
    notes: tuple[str, ...]


def import_networks(
    source: Path,
    config: ModelConfig,
    *,
    layout: str | None = None,
    autoencoder: Path | None = None,
    attention: Path | None = None,
    image_encoder: Path | None = None,
) -> Imported:
    """Networks of `config` that answer as `source`'s do, float32; parameters and errors as of `import_weights`.

    Weights in float32 stay on the disk until they are read.
    """
    found = import_weights(
        source, config, layout=layout, autoencoder=autoencoder, attention=attention, image_encoder=image_encoder
    )
    made = _on_no_device(found.config)
    for module, weights in ((made.autoencoder, found.autoencoder), (made.unet, found.unet)):
        if module is made.unet:
            adapt(made.unet, weights)
        state = {name: finite_float32(tensor, name, found.source) for name, tensor in weights.items()}
        module.load_state_dict(state, assign=True)
        module.requires_grad_(True).eval()
    networks = replace(made, config=found.config, latent_scale=found.latent_scale, image_encoder=found.image_encoder)
    return Imported(networks, found.notes)


def import_weights(
    source: Path,
    config: ModelConfig,
    *,
    layout: str | None = None,
    autoencoder: Path | None = None,
    attention: Path | None = None,
    image_encoder: Path | None = None,
) -> ImportedWeights:
    """Weights of `config` that answer as `source`'s do.

    `source` is a folder of a diffusers pipeline, one of a U-Net, or a file with a U-Net. `layout` names the order of
    its channels where it does not say. `autoencoder` is another one's folder or file, which may be TAESD: then the
    model is `config` with that kind. `attention` are CatVTON's weights, put on top, `image_encoder` the folder of the
    CLIP that presets with one need. Each may be a model's folder in Hugging Face's cache. Cross-attention that the
    preset has not is dropped. Raises `UserError` for a source that is missing, damaged or of another kind.
    """
    _refuse(config, attention, image_encoder)
    source = checkpoint_at(source)
    found: Source | None = None
    try:
        found = read_source(source, config, autoencoder=autoencoder is None)
        network = _on_no_device(config).unet
        unet, notes = _unet_weights(found, config, network, layout, attention)
        adapt(network, unet)
        unet = _fitted(network, unet, "U-Net", config.name)
        theirs = found.autoencoder if autoencoder is None else read_autoencoder(autoencoder, config)
        if theirs is None:
            raise UserError(f"{source} has no autoencoder: name a folder or file of one with --autoencoder")
        made = _on_no_device(with_autoencoder(config, theirs.kind))
        found = None
        kept = _fitted(made.autoencoder, theirs.weights, "autoencoder", config.name)
    except MisfitError as error:
        fits = error.fits or (None if found is None else found.fits)
        said = "choose another preset or source" if fits is None else advice(config, fits)
        raise UserError(f"{error}: {said}") from error
    return ImportedWeights(
        source=source,
        config=made.config,
        autoencoder=kept,
        unet=unet,
        latent_scale=_latent_scale(theirs, made.config),
        image_encoder=None
        if config.image_encoder is None or image_encoder is None
        else load_image_encoder(config.image_encoder, checkpoint_at(image_encoder)),
        notes=notes,
    )


def _on_no_device(config: ModelConfig) -> Networks:
    """Networks without memory for weights, and without an image tower."""
    with torch.device("meta"):
        made = build_networks(replace(config, image_encoder=None))
    return replace(made, config=config)


def _latent_scale(found: FoundAutoencoder, config: ModelConfig) -> float:
    return config.autoencoder.latent_scale if found.latent_scale is None else found.latent_scale


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
    source: Source, config: ModelConfig, unet: nn.Module, layout: str | None, attention: Path | None
) -> tuple[Weights, tuple[str, ...]]:
    weights, notes = dict(source.unet), list(source.notes)
    if any(name not in weights or weights[name].ndim != sides for name, sides in _FIRST.items()):
        raise UserError("the source's U-Net has no first convolution: copy the whole checkpoint")
    first = weights["conv_in.weight"].float(), weights["conv_in.bias"].float()
    chosen = layout_of(first[0].shape[1], layout or source.layout)
    weights |= in_our_order(*first, chosen, config)
    notes.append(f"conv_in: {chosen.channels} channels ({chosen.name}) to {config.unet_in_channels}")
    if chosen.keep_mask:
        notes.append("mask: inverted, as the source is told what to keep")
    if chosen.name == "stableviton":
        notes.append("pose: the source saw DensePose where we show a skeleton, which it has to learn to read")
    if config.unet.cross_attention is not None:
        return weights, tuple(notes)
    crossing = {match[1] for name in weights if (match := _CROSS.match(name)) and match[2] == "attn2"}
    normed = attention is not None or not crossing  # a source without attn2 but with norm2 skips as CatVTON does
    if source.token is not None and not normed:
        answers = {block: _answer(weights, block, source.token) for block in sorted(crossing)}
        if source.reader is not None:
            notes.append(token_left_out(source.reader, lambda token: _answers(weights, answers, token), answers))
        for block, answer in answers.items():
            # The softmax over one token is 1, so the answer is the same vector everywhere, and both are added to one
            # stream: the bias of self-attention can hold it.
            name = f"{block}.attn1.to_out.0.bias"
            weights[name] = (_part(weights, name).double() + answer).float()
        notes.append(f"cross-attention: {len(crossing)} answers to the source's token for no garment, folded in")
    elif crossing:
        notes.append(f"cross-attention: {len(crossing)} dropped")
    if attention is not None:
        own, said = self_attention(attention, unet, config)
        weights |= own
        notes.append(said)
    gone = {"attn2"} if normed else {"attn2", "norm2"}
    kept = {name: w for name, w in weights.items() if not ((match := _CROSS.match(name)) and match[2] in gone)}
    return kept, tuple(notes)


_FIRST = {"conv_in.weight": 4, "conv_in.bias": 1}
"""The first convolution's weights, and how many sides each has."""


def _answer(weights: Weights, block: str, token: torch.Tensor) -> torch.Tensor:
    """What a block's cross-attention answers to one token, float64."""
    value, out, bias = (
        _part(weights, f"{block}.attn2.{name}").double() for name in ("to_v.weight", "to_out.0.weight", "to_out.0.bias")
    )
    if value.ndim != 2 or out.ndim != 2 or value.shape[1] != token.numel() or out.shape != (len(bias), len(value)):
        raise UserError(f"the source's {block}.attn2 does not take its own token: copy the whole checkpoint")
    return out @ (value @ token.double().flatten()) + bias


def _answers(weights: Weights, blocks: Weights, token: torch.Tensor) -> Weights:
    return {block: _answer(weights, block, token) for block in blocks}


def _part(weights: Weights, name: str) -> torch.Tensor:
    if name not in weights:
        raise UserError(f"the source's U-Net lacks {name}: copy the whole checkpoint")
    return weights[name]


def _fitted(module: nn.Module, weights: Weights, part: str, preset: str) -> Weights:
    """These weights in the shapes of a module on the meta device; `MisfitError` names what does not fit."""
    wanted = module.state_dict()
    for names, says in ((set(wanted) - set(weights), "lacks {}, which preset {!r} needs"),
                        (set(weights) - set(wanted), "has {}, which preset {!r} has no place for")):  # fmt: skip
        if names:
            some = f"{min(names)}{f' and {len(names) - 1} more' if len(names) > 1 else ''}"
            raise MisfitError(f"the source's {part} {says.format(some, preset)}")
    for name, tensor in weights.items():
        if tensor.dtype not in _FLOATS or tensor.layout != torch.strided:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise UserError(f"the source's {part} holds {name} as {kind}: give weights in float32, float16 or bfloat16")
    state = {name: _linear(tensor, wanted[name]) for name, tensor in weights.items()}
    for name, tensor in state.items():
        if tensor.shape != wanted[name].shape:
            raise MisfitError(
                f"the source's {part} has {name} of shape {tuple(tensor.shape)}, preset {preset!r} "
                f"{tuple(wanted[name].shape)}"
            )
    return state


_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
"""Precisions of weights that are read: 8 bit and less need scales that their files keep elsewhere."""


def _linear(tensor: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """A 1×1 convolution as the linear layer that diffusers has in its place."""
    return tensor.flatten(1) if wanted.ndim == 2 and tensor.shape[2:].numel() == 1 else tensor

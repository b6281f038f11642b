"""CatVTON's self-attention, which its authors publish alone, on top of Stable Diffusion inpainting."""

from __future__ import annotations

import re
from pathlib import Path

from torch import nn

from lite_vton.errors import UserError
from lite_vton.libraries.hub_cache import checkpoint_at
from lite_vton.model.importing.files import Weights, read_component, read_weights
from lite_vton.presets.config import ModelConfig

__all__ = ["self_attention"]

_STEMS = ("model", "attention", "diffusion_pytorch_model")


def self_attention(path: Path, unet: nn.Module, config: ModelConfig) -> tuple[Weights, str]:
    """CatVTON's weights by diffusers' names, and a note that says which.

    `path` is the repository, one of its folders (`vitonhd-16k-512`), the `attention` in it, or a file. Of the
    repository's folders the one for the preset's height is taken, VITON-HD's first.

    It saves a list of all modules within an `attn1`, in diffusers' order and each weight once: so the numbers that have
    queries, ascending, are the self-attentions of a U-Net, one after the other.
    """
    place = _attention_in(checkpoint_at(path), config)
    given = read_component(place, _STEMS) if place.is_dir() else read_weights(place)
    blocks = [name for name, _ in unet.named_modules() if name.endswith(".attn1")]
    numbers = sorted(int(match[1]) for name in given if (match := re.fullmatch(r"(\d+)\.to_q\.weight", name)))
    if len(numbers) != len(blocks):
        raise UserError(
            f"{place} holds {len(numbers)} self-attentions, the preset {len(blocks)}: give CatVTON's attention folder"
        )
    names = {str(number): block for number, block in zip(numbers, blocks, strict=True)}
    unknown = sorted(name for name in given if name.partition(".")[0] not in names)
    if unknown:
        raise UserError(f"{place} has {unknown[0]}, which is no self-attention: give CatVTON's attention folder")
    weights = {re.sub(r"^\d+", lambda number: names[number[0]], name): tensor for name, tensor in given.items()}
    return weights, f"self-attention: {place.parent.name if place.name == 'attention' else place.name}"


def _attention_in(path: Path, config: ModelConfig) -> Path:
    if not path.is_dir():
        return path
    if (path / "attention").is_dir():
        return path / "attention"
    folders = [folder for folder in sorted(path.iterdir()) if (folder / "attention").is_dir()]
    if not folders:
        return path
    fitting = [folder for folder in folders if folder.name.endswith(f"-{config.height}")]
    chosen = [folder for folder in fitting if folder.name.startswith("vitonhd")] or fitting
    if len(chosen) != 1 and len(folders) != 1:
        names = ", ".join(folder.name for folder in folders[:6])
        raise UserError(f"{path} holds several attentions ({names}): name the folder of one of them")
    return (chosen or folders)[0] / "attention"

"""What an import loses with a garment's token: Paint-by-Example and DCI-VTON read the garment through CLIP as one."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from lite_vton.model.image_encoder import CLIP_DEVIATION, CLIP_MEAN
from lite_vton.model.importing.files import Weights

if TYPE_CHECKING:
    from transformers import CLIPVisionConfig

__all__ = ["garment_token", "token_left_out"]

_HEAD = 64
"""Width of an attention head of every CLIP."""


def token_left_out(reader: Weights, answers_to: Callable[[torch.Tensor], Weights], to_nothing: Weights) -> str:
    """A note that says how much of its cross-attention a network loses with the garment's token, as a figure.

    `reader` are the weights of diffusers' `PaintByExampleImageEncoder`; `answers_to` gives what each block answers to a
    token, and `to_nothing` what they answer to the one that stands for no garment.
    """
    token = garment_token(reader)
    if token is None:
        return "the garment's token: left out; how much that is cannot be said, as its CLIP is not whole here"
    told, nothing = (torch.cat(list(answers.values())) for answers in (answers_to(token), to_nothing))
    off, whole = (float(values.square().mean().sqrt()) for values in (told - nothing, told))
    return (
        f"the garment's token: left out; on a drawn shirt cross-attention's answers are then off by {off:.3g} of "
        f"{whole:.3g} (root mean squares), which training has to make up for"
    )


@torch.no_grad()
def garment_token(reader: Weights) -> torch.Tensor | None:
    """The token (1, 1, D) that such a reader makes of a drawn shirt; None where some of its weights are missing.

    It is computed in the precision of the weights, which are not copied.
    """
    from diffusers.pipelines.deprecated.paint_by_example.image_encoder import PaintByExampleImageEncoder

    weights = {re.sub(r"^model\.vision_model\.", "model.", name): tensor for name, tensor in reader.items()}
    config = _config(weights)
    if config is None:
        return None
    with torch.device("meta"):
        encoder = PaintByExampleImageEncoder(config, proj_size=len(weights["proj_out.bias"]))
    weights.setdefault("uncond_vector", torch.zeros(1, 1, encoder.proj_size))
    wanted = encoder.state_dict()
    if any(name not in weights or weights[name].shape != shape.shape for name, shape in wanted.items()):
        return None
    encoder.load_state_dict({name: weights[name] for name in wanted}, assign=True)
    positions = torch.arange(config.image_size**2 // config.patch_size**2 + 1)
    encoder.model.embeddings.position_ids = positions[None]
    kind = weights["proj_out.weight"].dtype
    token: torch.Tensor = encoder.eval()(_drawn_shirt(config.image_size).to(kind))
    return token if token.isfinite().all() else None


def _config(weights: Weights) -> CLIPVisionConfig | None:
    """The shape of the tower, read off its weights."""
    from transformers import CLIPVisionConfig

    patches, places, inner = (
        weights.get(f"model.{name}.weight")
        for name in ("embeddings.patch_embedding", "embeddings.position_embedding", "encoder.layers.0.mlp.fc1")
    )
    if patches is None or places is None or inner is None or "proj_out.bias" not in weights:
        return None
    if patches.ndim != 4 or places.ndim != 2 or inner.ndim != 2:
        return None
    layers = {match[1] for name in weights if (match := re.match(r"model\.encoder\.layers\.(\d+)\.", name))}
    width, side = patches.shape[0], math.isqrt(max(len(places) - 1, 0))
    return CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=inner.shape[0],
        num_hidden_layers=len(layers),
        num_attention_heads=max(1, width // _HEAD),
        image_size=side * patches.shape[-1],
        patch_size=patches.shape[-1],
    )


def _drawn_shirt(side: int) -> torch.Tensor:
    """(1, 3, side, side) as CLIP's towers are shown pictures: a red shirt with short sleeves on white."""
    picture = torch.ones(3, side, side)
    shirt = torch.zeros(side, side, dtype=torch.bool)
    shirt[side // 8 : 7 * side // 8, side // 4 : 3 * side // 4] = True
    shirt[side // 8 : 3 * side // 8, side // 16 : 15 * side // 16] = True
    picture[:, shirt] = torch.tensor([0.7, 0.1, 0.15])[:, None]
    mean, deviation = (torch.tensor(numbers)[:, None, None] for numbers in (CLIP_MEAN, CLIP_DEVIATION))
    return ((picture - mean) / deviation)[None]

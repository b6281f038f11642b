"""The image tower of CLIP: the garment's picture to tokens that the U-Net attends to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from torch import nn

from lite_vton.errors import UserError
from lite_vton.presets import ImageEncoderConfig

if TYPE_CHECKING:
    from transformers import CLIPVisionModel

__all__ = ["CLIP_DEVIATION", "CLIP_MEAN", "ImageEncoder", "build_image_encoder", "load_image_encoder"]

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Of RGB in [0, 1], as every CLIP was trained with; OPENAI_CLIP_MEAN and _STD in transformers."""


class ImageEncoder(nn.Module):
    """A tower that takes pictures as all our networks do, and answers with every token.

    The tokens go through the tower's own last normalisation, which CLIP applies to the class token alone: the first
    token is its `pooler_output`, and the others have the same scale.
    """

    gain: torch.Tensor
    offset: torch.Tensor

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower
        mean, deviation = (torch.tensor(numbers).view(1, 3, 1, 1) for numbers in (CLIP_MEAN, CLIP_DEVIATION))
        self.register_buffer("gain", 0.5 / deviation, persistent=False)
        self.register_buffer("offset", (0.5 - mean) / deviation, persistent=False)

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """`pixel_values` (N, 3, 224, 224) RGB in [-1, 1] to `encoder_hidden_states` (N, T, D)."""
        hidden = self.tower(pixel_values=pixel_values * self.gain + self.offset).last_hidden_state
        tokens: torch.Tensor = self.tower.post_layernorm(hidden)  # type: ignore[operator]  # a module, not a tensor
        return tokens


def build_image_encoder(config: ImageEncoderConfig) -> CLIPVisionModel:
    """A tower with random weights; a `UserError` names the extra where transformers is not installed."""
    try:
        from transformers import CLIPVisionConfig, CLIPVisionModel
    except ModuleNotFoundError as error:
        raise UserError(f"CLIP's image tower needs {error.name}: pip install 'lite-vton[export]'") from error
    return CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=config.width,
            intermediate_size=4 * config.width,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            image_size=config.image_size,
            patch_size=config.patch,
        )
    )


def load_image_encoder(config: ImageEncoderConfig, folder: Path) -> CLIPVisionModel:
    """The tower of a CLIP checkpoint as transformers saves it, whole or the tower alone; nothing is downloaded.

    Raises `UserError` for a folder that holds none, one of another shape, or one that lacks weights, which transformers
    would replace by random ones.
    """
    from transformers import CLIPVisionModel

    if not (folder / "config.json").is_file():
        raise UserError(f"{folder} holds no CLIP checkpoint: name the folder with its config.json and weights")
    try:
        with _without_bar():
            tower, report = CLIPVisionModel.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise UserError(
            f"{folder} is no readable CLIP checkpoint ({str(error).splitlines()[0]}): copy it again"
        ) from error
    found = tower.config
    shape = (found.hidden_size, found.num_hidden_layers, found.num_attention_heads, found.patch_size, found.image_size)
    wanted = (config.width, config.layers, config.heads, config.patch, config.image_size)
    if shape != wanted:
        raise UserError(
            f"{folder} has width, layers, heads, patch and picture {shape}, the preset {wanted}: choose another"
        )
    if report["missing_keys"]:
        raise UserError(f"{folder} lacks {sorted(report['missing_keys'])[0]} and perhaps more: copy it again")
    return tower.eval().float()


@contextmanager
def _without_bar() -> Iterator[None]:
    """transformers draws a bar for the weights of every file, terminal or not."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()

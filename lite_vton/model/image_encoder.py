"""The image tower of CLIP: the garment's picture to tokens that the U-Net attends to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from lite_vton.errors import UserError
from lite_vton.libraries.hub_cache import checkpoint_at
from lite_vton.model.finite_weights import refuse_not_finite
from lite_vton.model.importing.files import read_component, read_json
from lite_vton.presets.config import ImageEncoderConfig

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

    Raises `UserError` for a folder that holds none, one of another shape, or one that lacks weights or whose weights
    are not finite.
    """
    folder = checkpoint_at(folder)
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder} holds no CLIP checkpoint: name the folder with its config.json and weights")
    settings = read_json(folder / "config.json")
    own = settings.get("vision_config", settings)
    said = own if isinstance(own, dict) else {}
    _refuse_another(said, folder / "config.json")
    shape = tuple(said.get(name, usual) for name, usual in _SHAPE.items())
    wanted = (config.width, config.layers, config.heads, config.patch, config.image_size)
    if shape != wanted:
        raise UserError(
            f"{folder} has width, layers, heads, patch and picture {str(shape)[:80]}, the preset {wanted}: "
            "choose another"
        )
    try:
        weights = read_component(folder, ("model", "pytorch_model"))
    except UserError as error:
        raise UserError(f"{folder} is no readable CLIP checkpoint ({error}): copy it again") from error
    # Its own loader would replace what is missing by random weights, and reports on the terminal.
    tower = build_image_encoder(config)
    state = {name: weights.get(name, weights.get(f"{_TOWER}{name}")) for name in tower.state_dict()}
    lost = sorted(name for name, weight in state.items() if weight is None)
    if lost:
        raise UserError(f"{folder} lacks {lost[0]} and perhaps more: copy it again")
    found = {name: weight for name, weight in state.items() if weight is not None}
    refuse_not_finite(found, folder)
    try:
        tower.load_state_dict(found)
    except RuntimeError as error:
        raise UserError(f"{folder} does not fit its own config.json ({str(error).splitlines()[-1].strip()})") from error
    return tower.eval().float()


_TOWER = "vision_model."
"""What the tower's names begin with in a whole CLIP, and did in a tower alone until transformers 5."""

_SHAPE = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "patch_size": 32,
    "image_size": 224,
}
"""The settings that make a tower's shape, and what they are where a file does not say them."""

_KINDS = ("clip", "clip_vision_model")
_ACTIVATION = "quick_gelu"


def _refuse_another(settings: Mapping[str, object], file: Path) -> None:
    """`UserError` for a tower that computes otherwise than CLIP's."""
    if settings.get("model_type", _KINDS[-1]) not in _KINDS:
        raise UserError(f"{file} is of {str(settings['model_type'])[:60]} and no CLIP: choose another")
    said = str(settings.get("hidden_act", _ACTIVATION))
    if said != _ACTIVATION:
        raise UserError(f"{file} says hidden_act is {said[:60]}, ours is {_ACTIVATION}: choose another")

"""What somebody's network is, told by its names and settings where it is no network of ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lite_vton.errors import UserError
from lite_vton.messages.commands import command
from lite_vton.presets.config import ModelConfig
from lite_vton.presets.table import PRESETS

__all__ = ["MisfitError", "advice", "kind_of_names", "kind_of_settings"]


class MisfitError(UserError):
    """A network that is built otherwise than the preset. The message ends without advice: `advice` gives that.

    `fits` tells whether it is built as another preset, where that is known.
    """

    fits: Callable[[ModelConfig], bool] | None = None


@dataclass(frozen=True)
class _Sign:
    """A pattern that a weight's name matches from its beginning, and what has such weights.

    `of_unet` says that a U-Net may have them too, and is then of that kind.
    """

    pattern: str
    kind: str
    of_unet: bool = False


_NAMES = (
    _Sign(r".*lora_", "a LoRA, which changes a network and is none: merge it into its own with diffusers first", True),
    _Sign(
        r"\d+\.to_q\.", "CatVTON's self-attention alone: import Stable Diffusion inpainting, with this as --attention"
    ),
    _Sign(
        r"(.*\.)?(double_blocks|single_blocks|joint_blocks|transformer_blocks|single_transformer_blocks|x_embedder)\.",
        "a diffusion transformer, as FLUX, Stable Diffusion 3 and FASHN's are: another kind of network, which no "
        "preset is built as",
    ),
    _Sign(
        r".*(label_emb|add_embedding)\.",
        "Stable Diffusion XL's U-Net, as IDM-VTON's is: it is told of sizes, which Stable Diffusion has not, and is "
        "another kind of network, which no preset is built as",
        of_unet=True,
    ),
)
"""In the order in which they are looked for."""

_AUTOENCODER = "an autoencoder alone: give it with --autoencoder beside a U-Net"

_WIDTHS: Mapping[object, str] = {
    1024: "Stable Diffusion 2's U-Net, as LaDI-VTON's is",
    2048: "Stable Diffusion XL's U-Net, as IDM-VTON's is",
    1280: "Stable Diffusion XL's refiner",
}
"""What has tokens so wide; Stable Diffusion 1 has 768."""


def kind_of_names(names: Iterable[str], *, has_unet: bool = False) -> str | None:
    """What a file with weights of these names holds, and what can be done; None where no sign is known.

    `has_unet` says that they are a U-Net's.
    """
    given = list(names)
    for sign in _NAMES:
        if (sign.of_unet or not has_unet) and any(re.match(sign.pattern, name) for name in given):
            return sign.kind
    if not has_unet and any(re.search(r"(^|\.)(encoder|decoder)\.(conv_in|layers)\.", name) for name in given):
        return _AUTOENCODER
    return None


def kind_of_settings(settings: Mapping[str, object]) -> str | None:
    """What a U-Net with this `config.json` is, where it is known and no Stable Diffusion 1's."""
    width = settings.get("cross_attention_dim")
    return _WIDTHS.get(width) if isinstance(width, int) else None


def advice(config: ModelConfig, fits: Callable[[ModelConfig], bool]) -> str:
    """What to do about a source that does not fit `config`: another preset, its teacher first, or nothing.

    `fits` says whether it fits a preset.
    """
    others = [other.name for other in PRESETS.values() if other.name != config.name and fits(other)]
    if config.teacher in others:
        return (
            f"{config.name} is a student: import as {config.teacher}, then distill "
            f"(`{command('distill', config.name, '--teacher', 'RUN', '--data', 'DATA', '-o', 'STUDENT')}`)"
        )
    if others:
        return f"choose another preset or source (it is built as {' and '.join(others)})"
    if fits(config):
        return "copy the whole checkpoint again"
    return "this network is another kind, which no preset is built as"

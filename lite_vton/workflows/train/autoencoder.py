"""`--autoencoder` on the command line: a kind of autoencoder, or the file of a trained one, which knows its kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.errors import UserError
from lite_vton.model.weights_metadata import SAME_SCALE, metadata_of
from lite_vton.presets.autoencoders import KINDS, autoencoder_kind, with_autoencoder
from lite_vton.presets.config import ModelConfig
from lite_vton.presets.table import PRESETS

if TYPE_CHECKING:
    from lite_vton.model.networks import Networks

__all__ = ["chosen", "is_file", "with_file"]


def is_file(choice: str) -> bool:
    """Whether `--autoencoder` names a file and not a kind."""
    return choice not in KINDS and (Path(choice).suffix == ".safetensors" or Path(choice).is_file())


def chosen(config: ModelConfig, choice: str | None) -> ModelConfig:
    """`config` with the autoencoder of that kind, or of the kind the file of that name is; None leaves it.

    `UserError` for a kind that is unknown or that the preset does not have, and for a file that is missing.
    """
    if choice is None:
        return config
    return with_autoencoder(config, _kind_of(Path(choice), config) if is_file(choice) else choice)


def with_file(networks: Networks, file: Path) -> Networks:
    """`networks` with the autoencoder of a file in place of theirs.

    `UserError` for a missing file, or latents of another scale, which the U-Net has not learnt.
    """
    from lite_vton.model.networks import load_autoencoder

    config = chosen(networks.config, str(file))
    autoencoder, scale = load_autoencoder(config, file)
    if abs(scale / networks.latent_scale - 1) > SAME_SCALE:
        raise UserError(
            f"{file} scales its latents by {scale:.5g}, the model by {networks.latent_scale:.5g}: "
            "give one distilled from the model's own autoencoder"
        )
    return replace(networks, config=config, autoencoder=autoencoder)


def _kind_of(file: Path, config: ModelConfig) -> str:
    """As the file says it, else that of the preset it names, else the model's own."""
    if not file.is_file():
        raise UserError(f"no autoencoder at {file}: give the autoencoder.safetensors of a run")
    metadata = metadata_of(file)
    if "autoencoder" in metadata:
        return metadata["autoencoder"]
    return autoencoder_kind(PRESETS[metadata["preset"]] if "preset" in metadata else config)

"""Where a model's weights come from: the package, a run of `lite-vton train`, or chance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.errors import UserError
from lite_vton.model.weights_metadata import metadata_of, model_of
from lite_vton.presets.autoencoders import autoencoder_kind
from lite_vton.presets.config import ModelConfig
from lite_vton.presets.table import PRESETS, preset
from lite_vton.workflows.train.autoencoder import chosen, is_file, with_file

if TYPE_CHECKING:
    from lite_vton.model.networks import Networks

__all__ = [
    "ASSETS",
    "NOTES",
    "RANDOM",
    "SHIPPED",
    "Trained",
    "config_of",
    "is_bundle",
    "load_model",
    "model_config",
    "run_files",
    "weights_are_shipped",
]

ASSETS = Path(__file__).parents[1] / "assets"
"""`lite_vton.model.networks.ASSETS`, without importing torch."""

RANDOM, SHIPPED = "random weights", "trained on drawn pairs and photographs, shipped with lite-vton"
NOTES = {
    RANDOM: "random weights: the pictures will be noise, the files and timings are real",
    SHIPPED: "small, of 686 photographs and drawings: the garment in its place, edges soft",
    "trained on drawn pairs, shipped with lite-vton": "trained on drawings: expect a drawn look on photographs",
}
"""What to tell people about weights that a bundle's manifest names so; the last, those of the weights before."""


@dataclass(frozen=True)
class Trained:
    """Networks, and where their weights came from, as a bundle's manifest says it."""

    networks: Networks
    origin: str


def is_bundle(model: str) -> bool:
    """Whether `model` names a bundle, and neither a preset nor a run."""
    from lite_vton.bundle import MANIFEST_NAME

    path = Path(model)
    return model not in PRESETS and (path.suffix == ".zip" or (path / MANIFEST_NAME).is_file())


def model_config(model: str) -> ModelConfig:
    """The model in a bundle, or as `config_of` a preset or a run; a `UserError` where `model` names nothing."""
    from lite_vton.bundle import Bundle

    return Bundle.open(Path(model), check=False).manifest.model if is_bundle(model) else config_of(model)


def weights_are_shipped(config: ModelConfig) -> bool:
    """Whether the package holds trained weights of this preset."""
    return config.shipped_weights is not None and all((ASSETS / name).is_file() for name in config.shipped_weights)


def run_files(folder: Path) -> tuple[Path, Path]:
    """Autoencoder and U-Net of a run."""
    return folder / "autoencoder.safetensors", folder / "unet.safetensors"


def config_of(model: str, autoencoder: str | None = None) -> ModelConfig:
    """The preset of that name, or the one a run's folder was trained as, its switches included.

    `autoencoder` puts another in its place: one of `lite_vton.presets.autoencoders.KINDS`, or the file of a trained
    one. `UserError` for a name that is neither, a folder without finished weights, or an autoencoder that will not do.
    """
    if model in PRESETS or not Path(model).is_dir():
        return chosen(preset(model), autoencoder)
    config = _preset_of_run(Path(model))
    changed = chosen(config, autoencoder)
    if autoencoder is not None and not is_file(autoencoder) and changed != config:
        raise UserError(
            f"{model} has weights of a {autoencoder_kind(config)} autoencoder: "
            f"give the file of a {autoencoder} one with --autoencoder"
        )
    return changed


def load_model(model: str, autoencoder: str | None = None) -> Trained:
    """Networks of a preset, with the weights that come with the package or else random; or those of a run's folder.

    `autoencoder` as for `config_of`: of a kind, its weights are random as the preset's are. Raises as `config_of`.
    """
    file = Path(autoencoder) if autoencoder is not None and is_file(autoencoder) else None
    found = _weights_of(model, config_of(model, None if file else autoencoder))
    if file is None:
        return found
    return Trained(with_file(found.networks, file), f"{found.origin}; autoencoder of {file.resolve().parent.name}")


def _weights_of(model: str, config: ModelConfig) -> Trained:
    from lite_vton.model.networks import load_networks, random_networks, shipped_networks

    if model not in PRESETS:
        return Trained(load_networks(config, *run_files(Path(model))), f"run {Path(model).resolve().name}")
    if config.shipped_weights is None:
        return Trained(random_networks(config), RANDOM)
    return Trained(shipped_networks(config), SHIPPED)


def _preset_of_run(folder: Path) -> ModelConfig:
    _, unet = run_files(folder)
    if not unet.is_file():
        raise UserError(f"{folder} holds no finished weights: train it to the end, with --resume if it was stopped")
    return model_of(metadata_of(unet), unet)

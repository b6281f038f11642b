"""A model's networks with their weights: made at random, loaded from safetensors, or saved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from lite_vton.errors import UserError
from lite_vton.model.autoencoder import Autoencoder
from lite_vton.model.unet import build_unet
from lite_vton.presets import ModelConfig

__all__ = ["ASSETS", "Networks", "load_networks", "random_networks", "save_networks", "shipped_networks"]

ASSETS = Path(__file__).parents[1] / "assets"
"""Where the weights live that come with the package."""


@dataclass(frozen=True)
class Networks:
    """The networks of one model, float32, in evaluation mode, on the CPU.

    `latent_scale` multiplies the encoder's latents to about unit variance (diffusers' `scaling_factor`).
    """

    config: ModelConfig
    autoencoder: Autoencoder
    unet: nn.Module
    latent_scale: float = 1.0


def random_networks(config: ModelConfig, seed: int = 0) -> Networks:
    """Untrained networks; the same seed gives the same weights, and the caller's random state is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        autoencoder = Autoencoder(config.autoencoder)
        unet = build_unet(config.unet, config.autoencoder.latent_channels)
    return Networks(config, autoencoder.eval(), unet.eval())


def save_networks(networks: Networks, autoencoder: Path, unet: Path, dtype: torch.dtype = torch.float32) -> None:
    """Write the weights as two safetensors files; the latent scale goes into the autoencoder's metadata."""
    metadata = {"preset": networks.config.name, "latent_scale": repr(networks.latent_scale)}
    for path, module in ((autoencoder, networks.autoencoder), (unet, networks.unet)):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.to(dtype).contiguous() for name, tensor in module.state_dict().items()}, path, metadata)


def load_networks(config: ModelConfig, autoencoder: Path, unet: Path) -> Networks:
    """Networks of `config` with the weights of two safetensors files, whatever precision they are stored in.

    Raises `UserError` when a file is missing, damaged, or of another architecture.
    """
    networks = random_networks(config)
    _load_weights(networks.autoencoder, autoencoder)
    _load_weights(networks.unet, unet)
    with safe_open(autoencoder, framework="pt") as file:
        scale = float((file.metadata() or {}).get("latent_scale", "1.0"))
    return Networks(config, networks.autoencoder, networks.unet, scale)


def shipped_networks(config: ModelConfig) -> Networks:
    """Networks of `config` with the weights that come with the package; `UserError` if it has none."""
    if config.shipped_weights is None:
        raise UserError(f"preset {config.name!r} comes without trained weights: train it (`lite-vton train`)")
    autoencoder, unet = (ASSETS / name for name in config.shipped_weights)
    return load_networks(config, autoencoder, unet)


def _load_weights(module: nn.Module, path: Path) -> None:
    if not path.is_file():
        raise UserError(f"no weights at {path}: train them first (`lite-vton train`), or name another folder")
    try:
        module.load_state_dict(load_file(path))
    except SafetensorError as error:
        raise UserError(f"{path} is not a readable safetensors file ({error}): copy or train it again") from error
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise UserError(f"{path} does not fit the preset ({first}): choose the one it was trained as") from error

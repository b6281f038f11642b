"""A model's networks with their weights: made at random, loaded from safetensors, or saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from lite_vton.errors import UserError
from lite_vton.messages.commands import command
from lite_vton.model.autoencoder import Autoencoder
from lite_vton.model.autoencoder_kl import KLAutoencoder
from lite_vton.model.autoencoder_tiny import TinyAutoencoder
from lite_vton.model.finite_weights import refuse_not_finite
from lite_vton.model.image_encoder import build_image_encoder
from lite_vton.model.unet import build_unet
from lite_vton.model.weights_file import write_weights
from lite_vton.model.weights_metadata import SAME_SCALE, latent_scale_of, metadata_of
from lite_vton.presets.conditioning import to_metadata
from lite_vton.presets.config import AutoencoderConfig, AutoencoderKLConfig, ModelConfig
from lite_vton.presets.table import preset

__all__ = [
    "ASSETS",
    "Networks",
    "build_autoencoder",
    "build_networks",
    "check_saved",
    "image_encoder_file",
    "load_autoencoder",
    "load_networks",
    "random_networks",
    "save_autoencoder",
    "save_networks",
    "shipped_networks",
    "weight_files",
    "weights_metadata",
]

ASSETS = Path(__file__).parents[1] / "assets"
"""Where the weights live that come with the package."""


@dataclass(frozen=True)
class Networks:
    """The networks of one model, float32, in evaluation mode, on the CPU.

    `latent_scale` multiplies the encoder's latents to about unit variance (diffusers' `scaling_factor`).
    `image_encoder` is transformers' `CLIPVisionModel` where the model has tokens of the garment.
    """

    config: ModelConfig
    autoencoder: Autoencoder
    unet: nn.Module
    latent_scale: float = 1.0
    image_encoder: nn.Module | None = None


def build_autoencoder(config: AutoencoderConfig) -> Autoencoder:
    """An untrained autoencoder of either kind, its weights drawn from torch's random state."""
    return KLAutoencoder(config) if isinstance(config, AutoencoderKLConfig) else TinyAutoencoder(config)


def build_networks(config: ModelConfig) -> Networks:
    """Untrained networks, their weights drawn from torch's random state; on the meta device they hold no memory."""
    autoencoder = build_autoencoder(config.autoencoder)
    unet = build_unet(config)
    tower = None if config.image_encoder is None else build_image_encoder(config.image_encoder).eval()
    return Networks(config, autoencoder.eval(), unet.eval(), config.autoencoder.latent_scale, tower)


def random_networks(config: ModelConfig, seed: int = 0) -> Networks:
    """Untrained networks; the same seed gives the same weights, and the caller's random state is left alone.

    An `AutoencoderKL`'s latents have the deviation its latent scale promises, as a trained one's have.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        networks = build_networks(config)
        if isinstance(networks.autoencoder, KLAutoencoder):
            _scale_latents(networks.autoencoder, networks.latent_scale)
        return networks


@torch.no_grad()
def _scale_latents(autoencoder: KLAutoencoder, latent_scale: float) -> None:
    """Give its latents a deviation of 1 / `latent_scale`.

    As drawn they are some twenty times smaller than what sampling ends with: a decoder quantised to the range of both
    would be judged by a mismatch that no trained model has.
    """
    noise = torch.rand((1, 3, 64, 64)) * 2 - 1
    factor = 1 / (latent_scale * float(autoencoder.encode(noise).std()))
    autoencoder.quant_conv.weight.mul_(factor)
    autoencoder.quant_conv.bias.mul_(factor)


def image_encoder_file(unet: Path) -> Path:
    """Where the image tower's weights lie, in a model that has one: beside the U-Net's."""
    return unet.with_name("image_encoder.safetensors")


def save_networks(networks: Networks, autoencoder: Path, unet: Path, dtype: torch.dtype = torch.float32) -> None:
    """Write the weights as safetensors files, an image tower's beside the U-Net's (`image_encoder_file`).

    Preset and latent scale go into the metadata, and, where they are not as in its preset, how the model
    is conditioned and in how many steps it samples. Each file is written whole or not at all.
    """
    metadata = weights_metadata(networks.config, networks.latent_scale)
    for path, module in weight_files(networks, autoencoder, unet).items():
        write_weights({name: tensor.to(dtype) for name, tensor in module.state_dict().items()}, path, metadata)


def weights_metadata(config: ModelConfig, latent_scale: float) -> dict[str, str]:
    """What `save_networks` writes beside weights: see `lite_vton.model.weights_metadata`."""
    metadata = {"preset": config.name, "latent_scale": repr(latent_scale), **to_metadata(config)}
    if config.default_steps != preset(config.name).default_steps:
        metadata["default_steps"] = str(config.default_steps)
    return metadata


def check_saved(networks: Networks, autoencoder: Path, unet: Path) -> None:
    """Read the files of `save_networks` back: each weight has to be `networks`', bit by bit, whatever it is stored in.

    No second network is made for it. Raises `UserError` naming the first weight that is another.
    """
    for path, module in weight_files(networks, autoencoder, unet).items():
        with safe_open(path, framework="pt") as file:
            for name, tensor in module.state_dict().items():
                if not torch.equal(_bits(file.get_tensor(name).to(tensor.dtype)), _bits(tensor)):
                    raise UserError(f"{path} holds another {name} than was written: the disk may be failing")


def load_networks(config: ModelConfig, autoencoder: Path, unet: Path) -> Networks:
    """Networks of `config` with the weights of `save_networks`' files, whatever precision they are stored in.

    Raises `UserError` when a file is missing, damaged, of another architecture, or of another latent scale than the
    other, and when a weight is not finite or metadata are no values.
    """
    networks = _unfilled_networks(config)
    for path, module in weight_files(networks, autoencoder, unet).items():
        _load_weights(module, path)
    scale = _latent_scale(autoencoder, config.autoencoder.latent_scale)
    taught = _latent_scale(unet, scale)
    if abs(taught / scale - 1) > SAME_SCALE:
        raise UserError(
            f"{autoencoder} scales its latents by {scale:.5g}, the U-Net in {unet} was trained on {taught:.5g}: "
            "they are of two runs, so give both of one"
        )
    return replace(networks, latent_scale=scale)


def load_autoencoder(config: ModelConfig, file: Path) -> tuple[Autoencoder, float]:
    """The autoencoder of `config` with the weights of a file of `save_networks`, and the scale of its latents.

    Raises `UserError` as `load_networks`.
    """
    autoencoder = build_autoencoder(config.autoencoder)
    _load_weights(autoencoder, file)
    return autoencoder.eval(), _latent_scale(file, config.autoencoder.latent_scale)


def save_autoencoder(config: ModelConfig, autoencoder: Autoencoder, latent_scale: float, file: Path) -> None:
    """Write an autoencoder of `config` alone, as `save_networks` writes one: what `load_autoencoder` reads."""
    metadata = {"preset": config.name, "latent_scale": repr(latent_scale), **to_metadata(config)}
    write_weights(autoencoder.state_dict(), file, metadata)


def shipped_networks(config: ModelConfig) -> Networks:
    """Networks of `config` with the weights that come with the package; `UserError` if it has none."""
    if config.shipped_weights is None:
        remedy = command("train", config.name, "--data", "DATA", "-o", "RUN")
        raise UserError(f"preset {config.name!r} comes without trained weights: train it (`{remedy}`)")
    autoencoder, unet = (ASSETS / name for name in config.shipped_weights)
    return load_networks(config, autoencoder, unet)


def weight_files(networks: Networks, autoencoder: Path, unet: Path) -> dict[Path, nn.Module]:
    """What `save_networks` writes: each file, and the module whose weights are in it."""
    files: dict[Path, nn.Module] = {autoencoder: networks.autoencoder, unet: networks.unet}
    if networks.image_encoder is not None:
        files[image_encoder_file(unet)] = networks.image_encoder
    return files


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    """As bytes, of which NaN equals itself."""
    return tensor.contiguous().reshape(-1).view(torch.uint8)


def _unfilled_networks(config: ModelConfig) -> Networks:
    """Networks whose weights are whatever memory held: drawing numbers for 900 M of them takes most of a minute."""
    with torch.device("meta"):
        made = build_networks(replace(config, image_encoder=None))
    tower = None
    if config.image_encoder is not None:
        with torch.random.fork_rng(devices=[]):
            # Built in memory: it holds positions that no file does.
            tower = build_image_encoder(config.image_encoder).eval()
    return replace(
        made,
        config=config,
        autoencoder=made.autoencoder.to_empty(device="cpu"),
        unet=made.unet.to_empty(device="cpu"),
        image_encoder=tower,
    )


def _latent_scale(file: Path, usual: float) -> float:
    return latent_scale_of(metadata_of(file), file, usual)


def _load_weights(module: nn.Module, path: Path) -> None:
    if not path.is_file():
        raise UserError(f"no weights at {path}: train them first, or name another folder")
    try:
        state = load_file(path)
        _check_latents(module, state, path)
        refuse_not_finite(state, path)
        module.load_state_dict(state)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path} is not a readable safetensors file ({error}): copy or train it again") from error
    except RuntimeError as error:
        first = str(error).splitlines()[-1].strip()
        raise UserError(f"{path} does not fit the preset ({first}): choose the one it was trained as") from error


_PER_LATENT_CHANNEL = ("conv_out.weight", "to_latent.weight", "post_quant_conv.weight")
"""One weight each of a U-Net, a `TinyAutoencoder` and a `KLAutoencoder` with as many rows as a latent has channels."""


def _check_latents(module: nn.Module, state: Mapping[str, torch.Tensor], path: Path) -> None:
    wanted = module.state_dict()
    for name in _PER_LATENT_CHANNEL:
        if name in wanted and name in state and len(state[name]) != len(wanted[name]):
            raise UserError(
                f"{path} has weights for latents of {len(state[name])} channels, the preset's have "
                f"{len(wanted[name])}: choose the preset it was trained as, or train it again"
            )

"""The table of what gets exported: each network as a module from named tensors to one named tensor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from lite_vton.bundle import ComponentTensors, TensorSpec
from lite_vton.model.autoencoder import Autoencoder
from lite_vton.model.denoiser import Denoiser
from lite_vton.model.image_encoder import ImageEncoder
from lite_vton.model.networks import Networks
from lite_vton.presets.config import ModelConfig

__all__ = ["COMPONENTS", "ComponentSpec", "component_tensors", "components_of", "wrapped"]


class VaeEncoder(nn.Module):
    """Picture to moments: the latent, and a constant log-variance so small that a sample is the mean."""

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, sample: torch.Tensor) -> torch.Tensor:
        """`sample` (K, 3, H, W) in [-1, 1] to `latent_parameters` (K, 2C, h, w): mean | log-variance -30."""
        mean = self.autoencoder.encode(sample)
        # -30 is where diffusers clips the log-variance of a DiagonalGaussianDistribution.
        return torch.cat([mean, torch.full_like(mean, -30.0)], dim=1)


class VaeDecoder(nn.Module):
    """Latent to picture."""

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, latent_sample: torch.Tensor) -> torch.Tensor:
        """`latent_sample` (1, C, h, w), unscaled, to `sample` (1, 3, H, W)."""
        return self.autoencoder.decode(latent_sample)


@dataclass(frozen=True)
class ComponentSpec:
    """One exported network.

    `wrap` takes the model's networks and gives a module whose `forward` takes the tensors of `inputs` in
    their order and returns the one tensor of `outputs`.
    """

    name: str
    wrap: Callable[[Networks], nn.Module]
    inputs: Callable[[ModelConfig], tuple[TensorSpec, ...]]
    outputs: Callable[[ModelConfig], tuple[TensorSpec, ...]]


def _latent(name: str, meaning: str) -> Callable[[ModelConfig], tuple[TensorSpec, ...]]:
    def specs(config: ModelConfig) -> tuple[TensorSpec, ...]:
        shape = config.latent_shape
        return (TensorSpec(name=name, shape=shape, dtype="float32", range=None, meaning=meaning),)

    return specs


def _encoded_pictures(config: ModelConfig) -> tuple[TensorSpec, ...]:
    shape = (config.encoder_batch, 3, config.height, config.width)
    meaning = "RGB pictures; a shorter list is filled up with any"
    return (TensorSpec(name="sample", shape=shape, dtype="float32", range=(-1.0, 1.0), meaning=meaning),)


def _moments(config: ModelConfig) -> tuple[TensorSpec, ...]:
    _, channels, h, w = config.latent_shape
    shape = (config.encoder_batch, 2 * channels, h, w)
    meaning = "mean | log-variance of each, unscaled"
    return (TensorSpec(name="latent_parameters", shape=shape, dtype="float32", range=None, meaning=meaning),)


def _latent_or_tile(config: ModelConfig) -> tuple[TensorSpec, ...]:
    n, channels, h, w = config.latent_shape
    h, w = config.decoder_tile or (h, w)
    meaning = "latent divided by the latent scale" + ("" if config.decoder_tile is None else ", or a tile of it")
    return (TensorSpec(name="latent_sample", shape=(n, channels, h, w), dtype="float32", range=None, meaning=meaning),)


def _painted(config: ModelConfig) -> tuple[TensorSpec, ...]:
    _, _, h, w = config.latent_shape
    h, w = config.decoder_tile or (h, w)
    shape, meaning = (
        (1, 3, h * config.autoencoder.downscale, w * config.autoencoder.downscale),
        "RGB picture, not clipped",
    )
    return (TensorSpec(name="sample", shape=shape, dtype="float32", range=(-1.0, 1.0), meaning=meaning),)


def _garment_picture(config: ModelConfig) -> tuple[TensorSpec, ...]:
    tower = config.image_encoder
    if tower is None:
        return ()
    shape = (1, 3, tower.image_size, tower.image_size)
    meaning = "RGB picture of the garment on white; CLIP's mean and deviation are taken care of inside"
    return (TensorSpec(name="pixel_values", shape=shape, dtype="float32", range=(-1.0, 1.0), meaning=meaning),)


def _tokens(config: ModelConfig) -> tuple[TensorSpec, ...]:
    tower = config.image_encoder
    if tower is None:
        return ()
    shape = (1, tower.tokens, tower.width)
    meaning = "CLIP's tokens of the garment: class token, then patches row by row"
    return (TensorSpec(name="encoder_hidden_states", shape=shape, dtype="float32", range=None, meaning=meaning),)


def _unet_inputs(config: ModelConfig) -> tuple[TensorSpec, ...]:
    _, _, h, w = config.latent_shape
    layout = " | ".join(f"{name} {count}" for name, count in config.conditions)
    last = float(config.schedule.num_train_timesteps - 1)
    return (
        TensorSpec(
            name="sample", shape=(1, config.unet_in_channels, h, w), dtype="float32", range=None, meaning=layout
        ),
        TensorSpec(
            name="timestep", shape=(1,), dtype="int64", range=(0.0, last), meaning="training timestep of the sample"
        ),
        *_tokens(config),
    )


def _image_encoder(networks: Networks) -> nn.Module:
    if networks.image_encoder is None:
        raise ValueError(f"{networks.config.name} has no image encoder: take the components of components_of")
    return ImageEncoder(networks.image_encoder)


COMPONENTS: dict[str, ComponentSpec] = {
    spec.name: spec
    for spec in (
        ComponentSpec(
            name="image_encoder",
            wrap=_image_encoder,
            inputs=_garment_picture,
            outputs=_tokens,
        ),
        ComponentSpec(
            name="vae_encoder",
            wrap=lambda networks: VaeEncoder(networks.autoencoder),
            inputs=_encoded_pictures,
            outputs=_moments,
        ),
        ComponentSpec(
            name="unet",
            wrap=lambda networks: Denoiser(networks.config, networks.unet),
            inputs=_unet_inputs,
            outputs=_latent("out_sample", "predicted epsilon"),
        ),
        ComponentSpec(
            name="vae_decoder",
            wrap=lambda networks: VaeDecoder(networks.autoencoder),
            inputs=_latent_or_tile,
            outputs=_painted,
        ),
    )
}
"""Every component any model has; `components_of` gives those of one."""


def components_of(config: ModelConfig) -> dict[str, ComponentSpec]:
    """The components a model has, by name, in the order a try-on runs them."""
    return {name: COMPONENTS[name] for name in config.components}


def component_tensors(config: ModelConfig) -> dict[str, ComponentTensors]:
    """What each component of a model takes and gives, as a manifest says it."""
    return {
        name: ComponentTensors(inputs=spec.inputs(config), outputs=spec.outputs(config))
        for name, spec in components_of(config).items()
    }


def wrapped(networks: Networks) -> dict[str, nn.Module]:
    """Each component of a model as the module to call or to export."""
    return {name: spec.wrap(networks) for name, spec in components_of(networks.config).items()}

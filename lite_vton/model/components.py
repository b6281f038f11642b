"""The table of what gets exported: each network as a module from named tensors to one named tensor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from lite_vton.bundle import TensorSpec
from lite_vton.model.autoencoder import Autoencoder
from lite_vton.model.denoiser import Denoiser
from lite_vton.model.networks import Networks
from lite_vton.presets import ModelConfig

__all__ = ["COMPONENTS", "ComponentSpec"]


class VaeEncoder(nn.Module):
    """Picture to moments: the latent, and a constant log-variance so small that a sample is the mean."""

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, sample: torch.Tensor) -> torch.Tensor:
        """`sample` (1, 3, H, W) in [-1, 1] to `latent_parameters` (1, 2C, h, w): mean | log-variance -30."""
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


def _picture(name: str, meaning: str) -> Callable[[ModelConfig], tuple[TensorSpec, ...]]:
    def specs(config: ModelConfig) -> tuple[TensorSpec, ...]:
        shape = (1, 3, config.height, config.width)
        return (TensorSpec(name=name, shape=shape, dtype="float32", range=(-1.0, 1.0), meaning=meaning),)

    return specs


def _latent(name: str, meaning: str, repeats: int = 1) -> Callable[[ModelConfig], tuple[TensorSpec, ...]]:
    def specs(config: ModelConfig) -> tuple[TensorSpec, ...]:
        n, channels, h, w = config.latent_shape
        shape = (n, channels * repeats, h, w)
        return (TensorSpec(name=name, shape=shape, dtype="float32", range=None, meaning=meaning),)

    return specs


def _unet_inputs(config: ModelConfig) -> tuple[TensorSpec, ...]:
    _, _, h, w = config.latent_shape
    layout = " | ".join(f"{name} {count}" for name, count in config.unet.conditions)
    last = float(config.schedule.num_train_timesteps - 1)
    return (
        TensorSpec(
            name="sample", shape=(1, config.unet.in_channels, h, w), dtype="float32", range=None, meaning=layout
        ),
        TensorSpec(
            name="timestep", shape=(1,), dtype="int64", range=(0.0, last), meaning="training timestep of the sample"
        ),
    )


COMPONENTS: dict[str, ComponentSpec] = {
    spec.name: spec
    for spec in (
        ComponentSpec(
            name="vae_encoder",
            wrap=lambda networks: VaeEncoder(networks.autoencoder),
            inputs=_picture("sample", "RGB picture"),
            outputs=_latent("latent_parameters", "mean | log-variance, unscaled", repeats=2),
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
            inputs=_latent("latent_sample", "latent divided by the latent scale"),
            outputs=_picture("sample", "RGB picture, not clipped"),
        ),
    )
}

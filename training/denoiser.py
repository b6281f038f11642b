"""Trains a U-Net to undo noise from the warm start on: alone (a teacher), or beside a teacher (a student).

Sampling starts from the noised warped composite, not from the noised truth. Along DDIM's deterministic path
that start never fades: it stays in the noise as a constant offset. With a = alpha_bar at the first timestep,

    x_start = sqrt(a) c + sqrt(1-a) n = sqrt(a) x_0 + sqrt(1-a) (n + k (c - x_0)),   k = sqrt(a / (1-a)),

so noise shifted by k (c - x_0) is what the network meets at every step, and what it is trained on here. A random
share of the shift also covers the stochastic samplers, which replace part of that noise on the way.
"""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from lite_vton.model.unet import build_unet
from lite_vton.presets import ModelConfig, NoiseSchedule
from training.latents import LatentPairs
from training.loop import LoopConfig, OnStep, fit
from training.losses import Prediction, distillation

__all__ = ["MIN_SNR_GAMMA", "OUTSIDE_WEIGHT", "alpha_bars", "train_denoiser", "warm_noise"]

MIN_SNR_GAMMA = 5.0
"""Clip of the signal-to-noise weight (Hang et al. 2023, "Efficient diffusion training via min-SNR weighting")."""

OUTSIDE_WEIGHT = 0.1
"""Weight of positions that are not repainted: the person's own pixels replace them in the end."""


def train_denoiser(
    config: ModelConfig,
    pairs: LatentPairs,
    loop: LoopConfig,
    folder: Path,
    *,
    distill: str = "none",
    teacher: nn.Module | None = None,
    resume: bool = False,
    on_step: OnStep | None = None,
) -> UNet2DConditionModel:
    """A U-Net of `config` fitted to `pairs`; `distill` names a row of `training.losses.DISTILLATIONS`."""
    terms = distillation(distill)
    alpha_bar = alpha_bars(config.schedule)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(loop.seed)
        unet = build_unet(config.unet, config.autoencoder.latent_channels)

    def loss(module: nn.Module, generator: torch.Generator) -> dict[str, torch.Tensor]:
        batch = pairs.batch(torch.randint(len(pairs), (loop.batch_size,), generator=generator))
        timestep = torch.randint(len(alpha_bar), (loop.batch_size,), generator=generator)
        abar = alpha_bar[timestep].view(-1, 1, 1, 1)
        eps = warm_noise(batch, alpha_bar, generator)
        x_t = abar.sqrt() * batch.x_0 + (1 - abar).sqrt() * eps
        sample = torch.cat([x_t, batch.conditions()], dim=1)

        snr = abar / (1 - abar)
        weight = snr.clamp(max=MIN_SNR_GAMMA) / snr * (OUTSIDE_WEIGHT + (1 - OUTSIDE_WEIGHT) * batch.mask)
        prediction = Prediction(
            eps=eps,
            eps_student=module(sample, timestep, None, return_dict=False)[0],
            eps_teacher=_without_gradient(teacher, sample, timestep),
            weight=weight,
        )
        return {name: term(prediction) for name, term in terms.items()}

    fit(unet, loss, loop, folder, resume=resume, on_step=on_step)
    return unet


def warm_noise(batch: LatentPairs, alpha_bar: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Gaussian noise (N, 4, h, w) shifted towards the warm start by a uniform share of k (c - x_0)."""
    start = alpha_bar[-1]
    share = torch.rand((len(batch), 1, 1, 1), generator=generator).sqrt()  # more often near the whole shift
    shift = (start / (1 - start)).sqrt() * (batch.masked_person - batch.x_0)
    return torch.randn(batch.x_0.shape, generator=generator) + share * shift


def alpha_bars(schedule: NoiseSchedule) -> torch.Tensor:
    """Cumulative products of 1 - beta (T,), float32, of the scaled-linear schedule."""
    roots = torch.linspace(
        schedule.beta_start**0.5, schedule.beta_end**0.5, schedule.num_train_timesteps, dtype=torch.float64
    )
    return (1 - roots.square()).cumprod(0).float()


@torch.no_grad()
def _without_gradient(teacher: nn.Module | None, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor | None:
    if teacher is None:
        return None
    eps: torch.Tensor = teacher(sample, timestep, None, return_dict=False)[0]
    return eps

"""Trains a U-Net to undo noise from the warm start on: alone (a teacher), or beside a teacher (a student).

Sampling starts from the noised warped composite, not from the noised truth. Along DDIM's deterministic path
that start never fades: it stays in the noise as a constant offset. With a = alpha_bar at the first timestep,

    x_start = sqrt(a) c + sqrt(1-a) n = sqrt(a) x_0 + sqrt(1-a) (n + k (c - x_0)),   k = sqrt(a / (1-a)),

so noise shifted by k (c - x_0) is what the network meets at every step, and what it is trained on here. A random
share of the shift also covers the stochastic samplers, which replace part of that noise on the way.

Half of a batch are states the network's own sampling leads to, one step from a noisier one, with the truth as before
for an answer. What it gets wrong early in a trajectory it so learns to put right later, instead of taking it for
evidence (as in DREAM, Zhou et al. 2023, arXiv:2312.00210, which mends the same mismatch for super-resolution).

The loss is taken on epsilon, whatever the network's own output means (see `lite_vton.model.denoiser`), and weighted
so that no timestep outweighs the others by much.
"""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from lite_vton.model.denoiser import Denoiser, alpha_bars
from lite_vton.model.unet import build_unet
from lite_vton.presets import ModelConfig
from training.latents import LatentPairs
from training.loop import LoopConfig, OnStep, fit
from training.losses import Prediction, distillation

__all__ = ["MIN_SNR_GAMMA", "OUTSIDE_WEIGHT", "OWN_SHARE", "timestep_weight", "train_denoiser", "warm_noise"]

MIN_SNR_GAMMA = 5.0
"""Clip of the signal-to-noise weight (Hang et al. 2023, "Efficient diffusion training via min-SNR weighting")."""

OUTSIDE_WEIGHT = 0.1
"""Weight of positions that are not repainted: the person's own pixels replace them in the end."""

OWN_SHARE = 0.5
"""Of a batch: samples that are states of the network's own sampling instead of noised truths."""


def train_denoiser(
    config: ModelConfig,
    pairs: LatentPairs,
    loop: LoopConfig,
    folder: Path,
    *,
    distill: str = "none",
    teacher: Denoiser | None = None,
    resume: bool = False,
    on_step: OnStep | None = None,
) -> UNet2DConditionModel:
    """A U-Net of `config` fitted to `pairs`; `distill` names a row of `training.losses.DISTILLATIONS`."""
    terms = distillation(distill)
    alpha_bar = alpha_bars(config.schedule)
    denoiser = _start(config, loop.seed)

    def loss(module: nn.Module, generator: torch.Generator) -> dict[str, torch.Tensor]:
        batch = pairs.batch(torch.randint(len(pairs), (loop.batch_size,), generator=generator))
        timestep = torch.randint(len(alpha_bar), (loop.batch_size,), generator=generator)
        eps = warm_noise(batch, alpha_bar, generator)
        abar = alpha_bar[timestep].view(-1, 1, 1, 1)
        x_t = abar.sqrt() * batch.x_0 + (1 - abar).sqrt() * eps
        own = slice(0, round(OWN_SHARE * loop.batch_size))
        x_t[own] = _own_state(module, batch.part(own), eps[own], timestep[own], alpha_bar, generator)
        eps = (x_t - abar.sqrt() * batch.x_0) / (1 - abar).sqrt()
        sample = torch.cat([x_t, batch.conditions()], dim=1)

        weight = timestep_weight(abar, config.unet.residual_deviation)
        weight = weight * (OUTSIDE_WEIGHT + (1 - OUTSIDE_WEIGHT) * batch.mask)
        prediction = Prediction(
            eps=eps,
            eps_student=module(sample, timestep),
            eps_teacher=_without_gradient(teacher, sample, timestep),
            weight=weight,
        )
        return {name: term(prediction) for name, term in terms.items()}

    fit(denoiser, loss, loop, folder, resume=resume, on_step=on_step)
    unet = denoiser.unet
    assert isinstance(unet, UNet2DConditionModel)
    return unet


def warm_noise(batch: LatentPairs, alpha_bar: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Gaussian noise (N, 4, h, w) shifted towards the warm start by a uniform share of k (c - x_0)."""
    start = alpha_bar[-1]
    share = torch.rand((len(batch), 1, 1, 1), generator=generator).pow(0.25)  # mostly near the whole shift
    shift = (start / (1 - start)).sqrt() * (batch.masked_person - batch.x_0)
    return torch.randn(batch.x_0.shape, generator=generator) + share * shift


def timestep_weight(abar: torch.Tensor, residual_deviation: float | None) -> torch.Tensor:
    """Weight of an epsilon's squared error where alpha_bar is `abar`, of the same shape.

    Min-SNR on epsilon; for a network that predicts a residual of deviation s, with 1 / s^2 added to the clipped
    signal-to-noise ratio, which makes it the weight of Karras et al. 2022 (unit variance of what is to be learnt).
    """
    snr = abar / (1 - abar)
    floor = 0.0 if residual_deviation is None else residual_deviation**-2
    return (snr.clamp(max=MIN_SNR_GAMMA) + floor) / snr


def _start(config: ModelConfig, seed: int) -> Denoiser:
    """Random weights; what predicts a residual begins with none, so its first picture is the pasted warp."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = build_unet(config.unet, config.autoencoder.latent_channels)
    if config.unet.residual_deviation is not None:
        nn.init.zeros_(unet.conv_out.weight)
        nn.init.zeros_(unet.conv_out.bias)
    return Denoiser(config, unet)


@torch.no_grad()
def _own_state(
    module: nn.Module,
    batch: LatentPairs,
    eps: torch.Tensor,
    timestep: torch.Tensor,
    alpha_bar: torch.Tensor,
    generator: torch.Generator,
) -> torch.Tensor:
    """Where one DDIM step of the network as it is now leads, to `timestep` from a random one above it."""
    last = len(alpha_bar) - 1
    above = timestep + ((last - timestep) * torch.rand(len(batch), generator=generator)).ceil().long()
    here, there = (alpha_bar[t].view(-1, 1, 1, 1) for t in (above, timestep))
    x_t = here.sqrt() * batch.x_0 + (1 - here).sqrt() * eps
    found = module(torch.cat([x_t, batch.conditions()], dim=1), above)
    x_0 = (x_t - (1 - here).sqrt() * found) / here.sqrt()
    rolled: torch.Tensor = there.sqrt() * x_0 + (1 - there).sqrt() * found
    return rolled


@torch.no_grad()
def _without_gradient(teacher: Denoiser | None, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor | None:
    if teacher is None:
        return None
    eps: torch.Tensor = teacher(sample, timestep)
    return eps

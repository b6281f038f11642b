"""Samples of a denoiser in training: DDIM on a whole batch, from the noised warp on, by diffusers' scheduler."""

from __future__ import annotations

import torch
from diffusers import DDIMScheduler
from torch import nn

from lite_vton.model.denoiser import alpha_bars
from lite_vton.presets.config import ModelConfig
from lite_vton_training.dataset.latents import LatentPairs

__all__ = ["sample_latents"]


@torch.no_grad()
def sample_latents(
    config: ModelConfig,
    denoiser: nn.Module,
    pairs: LatentPairs,
    *,
    seed: int = 0,
    batch_size: int = 32,
    noise: torch.Tensor | None = None,
) -> torch.Tensor:
    """Scaled latents (N, C, h, w) of `pairs` in `config.default_steps`, on the CPU; the same noise for the same seed.

    `noise`, of the latents' shape, is taken where it is given. `denoiser` is called as a
    `lite_vton.model.denoiser.Denoiser` is, on its own device.
    """
    schedule = config.schedule
    scheduler = DDIMScheduler(
        num_train_timesteps=schedule.num_train_timesteps,
        beta_start=schedule.beta_start,
        beta_end=schedule.beta_end,
        beta_schedule="scaled_linear",
        timestep_spacing="trailing",
        clip_sample=False,
    )
    scheduler.set_timesteps(config.default_steps)
    device = next(denoiser.parameters()).device
    abar = alpha_bars(schedule)[-1]
    drawn = torch.randn(pairs.x_0.shape, generator=torch.Generator().manual_seed(seed)) if noise is None else noise

    def sampled(rows: slice) -> torch.Tensor:
        part = pairs.part(rows)
        given = part.to(device)
        x_t = abar.sqrt() * part.masked_person + (1 - abar).sqrt() * drawn[rows]
        for t in scheduler.timesteps:
            shown, tokens = given.model_input(config.unet, x_t.to(device))
            eps = denoiser(shown, t.expand(len(part)).to(device), tokens).float().cpu()
            x_t = scheduler.step(eps, t, x_t).prev_sample
        return x_t

    return torch.cat([sampled(slice(i, i + batch_size)) for i in range(0, len(pairs), batch_size)])

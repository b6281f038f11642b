"""Pictures of fixed pairs while a denoiser trains: what it is given, what it makes of it, what it should."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from lite_vton.model.autoencoder import Autoencoder
from lite_vton.model.denoiser import alpha_bars
from lite_vton.presets import ModelConfig
from training.latents import LatentPairs

__all__ = ["SampleGrid"]


@dataclass(frozen=True)
class SampleGrid:
    """An observer of `training.denoiser.train_denoiser`: every `every` steps a PNG in `folder`, a row a pair.

    Left the pasted warp, in the middle the sample, right the truth, all through `autoencoder`, the sample without the
    photo's own pixels. Sampled by DDIM in `config.default_steps` from the same noise each time, with the weights of
    the step (not their moving average). One picture takes as long as that many steps of the U-Net and three decodings.
    """

    config: ModelConfig
    pairs: LatentPairs
    autoencoder: Autoencoder
    latent_scale: float
    folder: Path
    every: int

    def __call__(self, step: int, module: nn.Module) -> dict[str, float]:
        """Writes `step-000200.png` after the 200th step; logs nothing."""
        if (step + 1) % self.every == 0:
            self.folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(self.picture(module)).save(self.folder / f"step-{step + 1:06d}.png")
        return {}

    @torch.no_grad()
    def picture(self, denoiser: nn.Module) -> NDArray[np.uint8]:
        """(pairs x H, 3 x W, 3)."""
        columns = (self.pairs.masked_person, self.sample(denoiser), self.pairs.x_0)
        decoded = [self.autoencoder.decode(latents / self.latent_scale) for latents in columns]
        rows = torch.cat(decoded, dim=3).clamp(-1, 1).add(1).mul(127.5).round().byte()
        return rows.permute(0, 2, 3, 1).flatten(0, 1).numpy()

    @torch.no_grad()
    def sample(self, denoiser: nn.Module) -> torch.Tensor:
        """Scaled latents (N, 4, h, w), from the noised warp on."""
        schedule = self.config.schedule
        scheduler = DDIMScheduler(
            num_train_timesteps=schedule.num_train_timesteps,
            beta_start=schedule.beta_start,
            beta_end=schedule.beta_end,
            beta_schedule="scaled_linear",
            timestep_spacing="trailing",
            clip_sample=False,
        )
        scheduler.set_timesteps(self.config.default_steps)
        device = next(denoiser.parameters()).device
        abar = alpha_bars(schedule)[-1]
        noise = torch.randn(self.pairs.x_0.shape, generator=torch.Generator().manual_seed(0))
        x_t = abar.sqrt() * self.pairs.masked_person + (1 - abar).sqrt() * noise
        for t in scheduler.timesteps:
            shown = torch.cat([x_t, self.pairs.conditions()], dim=1).to(device)
            eps = denoiser(shown, t.expand(len(self.pairs)).to(device)).cpu()
            x_t = scheduler.step(eps, t, x_t).prev_sample
        return x_t

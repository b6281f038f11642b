"""Pictures of fixed pairs while a denoiser trains: what it is given, what it makes of it, what it should."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lite_vton.model.autoencoder import Autoencoder
from lite_vton.photo.files import save_photo
from lite_vton.presets.config import ModelConfig
from lite_vton_training.dataset.latents import LatentPairs
from lite_vton_training.trainers.sampling import sample_latents

__all__ = ["SampleGrid"]


@dataclass(frozen=True)
class SampleGrid:
    """An observer of `lite_vton_training.trainers.denoiser.train_denoiser`: every `every` steps a PNG in `folder`, a
    row a pair.

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
            save_photo(self.folder / f"step-{step + 1:06d}.png", self.picture(module))
        return {}

    @torch.no_grad()
    def picture(self, denoiser: nn.Module) -> NDArray[np.uint8]:
        """(pairs x H, 3 x W, 3)."""
        columns = (self.pairs.masked_person, sample_latents(self.config, denoiser, self.pairs), self.pairs.x_0)
        decoded = [self.autoencoder.decode(latents / self.latent_scale) for latents in columns]
        rows = torch.cat(decoded, dim=3).clamp(-1, 1).add(1).mul(127.5).round().byte()
        return rows.permute(0, 2, 3, 1).flatten(0, 1).numpy()

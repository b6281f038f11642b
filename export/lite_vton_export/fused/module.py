"""A try-on as one torch module, its steps written out: for formats that convert what torch captures.

The steps share one U-Net, whose weights every converter stores once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import cv2
import torch
from torch import nn
from torch.nn import functional

from lite_vton.presets.config import ModelConfig
from lite_vton.tryon.detail import AGREEMENT, COARSE
from lite_vton_runtimes.sampling.schedule import alpha_bar, timesteps

__all__ = ["FusedTryOn"]


class FusedTryOn(nn.Module):
    """What `lite_vton_export.fused.tensors` names, in and out, by DDIM in a fixed number of steps; `picture` is
    float32.

    Its children are the components by name, each as it is exported alone.
    """

    def __init__(
        self,
        components: Mapping[str, nn.Module],
        config: ModelConfig,
        latent_scale: float,
        steps: int,
        inputs: tuple[str, ...],
    ) -> None:
        super().__init__()
        for name, module in components.items():
            self.add_module(name, module)
        self.config, self.scale, self._inputs = config, latent_scale, inputs
        schedule = self.config.schedule
        visited = timesteps(schedule, steps)
        levels = [float(level) for level in alpha_bar(schedule)[visited]]
        self._steps = list(zip(visited.tolist(), levels, [*levels[1:], 1.0], strict=True))
        deviation = COARSE * self.config.height
        # As OpenCV's GaussianBlur chooses its length for float32.
        kernel = cv2.getGaussianKernel(round(deviation * 8 + 1) | 1, deviation, cv2.CV_32F)
        self._kernel = [float(weight) for weight in kernel[:, 0]]

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The inputs in their order, to `picture` (H, W, 3) from 0 to 255, and `decoded` (1, 3, H, W)."""
        given = dict(zip(self._inputs, tensors, strict=True))
        latents = self._encoded(given)
        x_0 = latents["masked_person"]
        tokens = (self._call("image_encoder", given["garment"]),) if "garment" in given else ()
        side = self.config.autoencoder.downscale
        known = {"mask": functional.pixel_unshuffle(given["mask"], side).amax(dim=1, keepdim=True), **latents}
        conditions = torch.cat([known[name] for name in self.config.unet.told], dim=1)
        first = self._steps[0][1]
        x = first**0.5 * x_0 + (1 - first) ** 0.5 * given["noise"]
        for timestep, now, following in self._steps:
            at = torch.tensor([timestep], dtype=torch.int64)
            eps = self._call("unet", torch.cat([x, conditions], dim=1), at, *tokens)
            clean = (x - (1 - now) ** 0.5 * eps) / now**0.5
            x = following**0.5 * clean + (1 - following) ** 0.5 * eps
        reconstruction = self._call("vae_decoder", x_0 / self.scale)
        decoded = self._call("vae_decoder", x / self.scale)
        apart = self._blurred(decoded - reconstruction)
        trust = torch.exp((apart * apart).mean(dim=1, keepdim=True) * (-1 / AGREEMENT**2))
        painted = decoded + trust * (given["masked_person"] - reconstruction)
        mixed = torch.where(given["mask"] > 0.5, painted, given["person"])
        levels = torch.round(((mixed + 1) * 127.5).clamp(0, 255))
        return levels.permute(0, 2, 3, 1).squeeze(0), decoded

    def _call(self, name: str, *tensors: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.get_submodule(name)(*tensors))

    def _encoded(self, given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        names = [name for name in ("masked_person", "pose") if name in given]
        batch, channels = self.config.encoder_batch, self.config.autoencoder.latent_channels
        filled = names + names[-1:] * (-len(names) % batch)
        calls = [filled[first : first + batch] for first in range(0, len(filled), batch)]
        moments = torch.cat([self._call("vae_encoder", torch.cat([given[name] for name in call])) for call in calls])
        latents = moments[:, :channels] * self.scale
        return {name: latents[index : index + 1] for index, name in enumerate(names)}

    def _blurred(self, picture: torch.Tensor) -> torch.Tensor:
        """By sums of shifted pictures: a convolution would count as one of the networks' products."""
        margin = len(self._kernel) // 2
        framed = functional.pad(picture, (margin,) * 4, mode="reflect")
        height, width = picture.shape[2:]
        rows = sum(weight * framed[:, :, :, at : at + width] for at, weight in enumerate(self._kernel))
        assert isinstance(rows, torch.Tensor)
        blurred = sum(weight * rows[:, :, at : at + height] for at, weight in enumerate(self._kernel))
        assert isinstance(blurred, torch.Tensor)
        return blurred

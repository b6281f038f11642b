"""How alike student and teacher have become inside, measured without anything trained for it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel

from lite_vton.model.denoiser import Denoiser
from lite_vton_training.dataset.latents import LatentPairs
from lite_vton_training.distillation.taps import Features, matching_taps, tapped

__all__ = ["Similarity", "linear_cka"]


def linear_cka(first: torch.Tensor, second: torch.Tensor) -> float:
    """Linear centred kernel alignment (Kornblith et al. 2019, arXiv:1905.00414, section 3), 0 to 1.

    Of features (N, C, h, w) of any two widths, each position an example: 1 for what differs by a rotation and a scale
    of its channels, 0 where no channel of one says anything about one of the other.
    """
    x, y = (feature.movedim(1, -1).flatten(0, -2).double() for feature in (first, second))
    x, y = x - x.mean(dim=0), y - y.mean(dim=0)
    shared = (y.T @ x).square().sum()
    own = (x.T @ x).square().sum().sqrt() * (y.T @ y).square().sum().sqrt()
    return float(shared / own) if own > 0 else 0.0


@dataclass(frozen=True)
class Similarity:
    """CKA at every tap on the same samples every time: `pairs`, noised to `x_t` (N, C, h, w) at `timestep` (N,)."""

    teacher: Denoiser
    pairs: LatentPairs
    x_t: torch.Tensor
    timestep: torch.Tensor

    def __call__(self, student: Denoiser) -> dict[str, float]:
        """By log column: `cka.down0` and so on."""
        return self.of(*self.features(student))

    def of(self, student: Features, teacher: Features) -> dict[str, float]:
        """The same of features that are there already."""
        return {f"cka.{tap}": linear_cka(feature, teacher[tap]) for tap, feature in student.items()}

    @torch.no_grad()
    def features(self, student: Denoiser) -> tuple[Features, Features]:
        """The student's and the teacher's at every tap, on the CPU."""
        mine, taught = (self._features(model, student, self.teacher) for model in (student, self.teacher))
        return mine, taught

    def _features(self, model: Denoiser, student: Denoiser, teacher: Denoiser) -> Features:
        assert isinstance(student.unet, UNet2DConditionModel)
        assert isinstance(teacher.unet, UNet2DConditionModel)
        assert isinstance(model.unet, UNet2DConditionModel)
        device = next(model.parameters()).device
        with tapped(model.unet, matching_taps(student.unet, teacher.unet)) as features:
            sample, tokens = self.pairs.to(device).model_input(model.config.unet, self.x_t.to(device))
            model(sample, self.timestep.to(device), tokens)
        return {tap: feature.cpu() for tap, feature in features.items()}

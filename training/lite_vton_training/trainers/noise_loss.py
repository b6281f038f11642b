"""A denoiser's loss on noise: on what its sampler will show it from the warm start on, each error weighed.

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

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from diffusers import UNet2DConditionModel
from torch import nn
from torch.distributed.fsdp import FSDPModule

from lite_vton.model.denoiser import Denoiser
from lite_vton.presets.config import UNetConfig
from lite_vton_training.dataset.latents import LatentPairs, Pairs
from lite_vton_training.distillation.taps import Features, tapped
from lite_vton_training.trainers.losses import Distillation, LossConfig, Prediction

__all__ = ["MIN_SNR_GAMMA", "OUTSIDE_WEIGHT", "OWN_SHARE", "NoiseLoss", "NoisedBatch", "timestep_weight", "warm_noise"]

MIN_SNR_GAMMA = 5.0
"""Clip of the signal-to-noise weight (Hang et al. 2023, "Efficient diffusion training via min-SNR weighting")."""

OUTSIDE_WEIGHT = 0.1
"""Weight of positions that are not repainted: the person's own pixels replace them in the end."""

OWN_SHARE = 0.5
"""Of a batch: samples that are states of the network's own sampling instead of noised truths."""


@dataclass(frozen=True)
class NoiseLoss:
    """The terms of one kind of distillation on the samples at `share` of each step's batch: a `BatchLoss`.

    `unet` is the student's shape, which says what it is told; a teacher is told what its own says. `ValueError` where
    either wants tokens and `pairs` have none.
    """

    pairs: Pairs
    alpha_bar: torch.Tensor
    batch_size: int
    unet: UNetConfig
    kind: Distillation
    losses: LossConfig
    teacher: Denoiser | None
    taps: Sequence[str] = ()
    share: slice = field(default_factory=lambda: slice(None))

    def __call__(self, module: nn.Module, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """See `BatchLoss`; `module` is a `Denoiser`, or a `Lesson` where features are compared."""
        noised = self.draw(module, generator)
        eps_teacher, features = _teacher_answer(self.teacher, noised, self.taps)
        sample, tokens = noised.model_input(self.unet)
        if features:
            eps_student, distance = module(sample, noised.timestep, tokens, features)
        else:
            eps_student, distance = module(sample, noised.timestep, tokens), None
        return self.losses.weighted(
            self.kind, Prediction(noised.eps, eps_student, eps_teacher, noised.weight, distance)
        )

    def part(self, share: slice) -> NoiseLoss:
        """See `BatchLoss`."""
        return replace(self, share=share)

    def at_fault(self, module: nn.Module, generator: torch.Generator) -> list[str]:
        """See `BatchLoss`; pairs are numbered as in the data, from 0."""
        noised = self.draw(module, generator)
        sample, tokens = noised.model_input(self.unet)
        error = (noised.weight * (module(sample, noised.timestep, tokens) - noised.eps).square()).flatten(1).sum(dim=1)
        rows = (~error.isfinite()).nonzero().flatten().tolist()
        batch = range(self.batch_size)[self.share]
        return [f"sample {batch[row]} of the batch (pair {int(noised.chosen[row])})" for row in rows]

    def draw(self, module: nn.Module, generator: torch.Generator) -> NoisedBatch:
        """This part's samples, the only ones read; the random numbers are the whole batch's, whatever the part."""
        alpha_bar, size, count = self.alpha_bar, self.batch_size, round(OWN_SHARE * self.batch_size)
        chosen = torch.randint(len(self.pairs), (size,), generator=generator)[self.share]
        timestep = torch.randint(len(alpha_bar), (size,), generator=generator)[self.share]
        shifted, noise = (drawn[self.share] for drawn in _draw_noise((size, *self.pairs.latent_shape), generator))
        jump = torch.rand(count, generator=generator)[self.share]  # the batch's first samples, so each part's first

        device = _device(module)
        batch = self.pairs.batch(chosen).to(device)
        eps = noise.to(device) + shifted.to(device) * _whole_shift(batch, alpha_bar)
        abar = alpha_bar[timestep].view(-1, 1, 1, 1).to(device)
        x_t = abar.sqrt() * batch.x_0 + (1 - abar).sqrt() * eps
        own = slice(0, len(jump))
        if len(jump):
            x_t[own] = self._own_state(module, batch.part(own), eps[own], timestep[own], jump)
        elif isinstance(module, FSDPModule):
            # Its weights are gathered by all processes together, and another's share may have such samples.
            first = slice(0, 1)
            self._own_state(module, batch.part(first), eps[first], timestep[first], torch.zeros(1))
        eps = (x_t - abar.sqrt() * batch.x_0) / (1 - abar).sqrt()
        weight = timestep_weight(abar, self.unet.residual_deviation)
        weight = weight * (OUTSIDE_WEIGHT + (1 - OUTSIDE_WEIGHT) * batch.mask)
        return NoisedBatch(chosen, batch, x_t, timestep.to(device), eps, weight)

    @torch.no_grad()
    def _own_state(
        self, module: nn.Module, batch: LatentPairs, eps: torch.Tensor, timestep: torch.Tensor, jump: torch.Tensor
    ) -> torch.Tensor:
        """Where one DDIM step of the network as it is leads, to `timestep` from one above it, by the share `jump`."""
        last = len(self.alpha_bar) - 1
        above = timestep + ((last - timestep) * jump).ceil().long()
        here, there = (self.alpha_bar[t].view(-1, 1, 1, 1).to(eps.device) for t in (above, timestep))
        x_t = here.sqrt() * batch.x_0 + (1 - here).sqrt() * eps
        # Past DDP's wrapper, which expects as many calls in every process.
        bare = module.module if isinstance(module, nn.parallel.DistributedDataParallel) else module
        sample, tokens = batch.model_input(self.unet, x_t)
        found = bare(sample, above.to(x_t.device), tokens)
        x_0 = (x_t - (1 - here).sqrt() * found) / here.sqrt()
        rolled: torch.Tensor = there.sqrt() * x_0 + (1 - there).sqrt() * found
        return rolled


@dataclass(frozen=True)
class NoisedBatch:
    """Samples of one step: pairs `chosen` (N,), as `batch`, their noisy latents, and the target: epsilon."""

    chosen: torch.Tensor
    batch: LatentPairs
    x_t: torch.Tensor
    timestep: torch.Tensor
    eps: torch.Tensor
    weight: torch.Tensor

    def model_input(self, unet: UNetConfig) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The U-Net's input and its tokens; see `LatentPairs.model_input`."""
        return self.batch.model_input(unet, self.x_t)


def warm_noise(batch: LatentPairs, alpha_bar: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Gaussian noise (N, C, h, w) shifted towards the warm start by a uniform share of k (c - x_0)."""
    shifted, noise = _draw_noise(tuple(batch.x_0.shape), generator)
    return noise + shifted * _whole_shift(batch, alpha_bar)


def timestep_weight(abar: torch.Tensor, residual_deviation: float | None) -> torch.Tensor:
    """Weight of an epsilon's squared error where alpha_bar is `abar`, of the same shape.

    Min-SNR on epsilon; for a network that predicts a residual of deviation s, with 1 / s^2 added to the clipped
    signal-to-noise ratio, which makes it the weight of Karras et al. 2022 (unit variance of what is to be learnt).
    """
    snr = abar / (1 - abar)
    floor = 0.0 if residual_deviation is None else residual_deviation**-2
    return (snr.clamp(max=MIN_SNR_GAMMA) + floor) / snr


def _draw_noise(shape: tuple[int, ...], generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """For latents of `shape`: shares of the shift (N, 1, 1, 1), and Gaussian noise."""
    shifted = torch.rand((shape[0], 1, 1, 1), generator=generator).pow(0.25)  # mostly near the whole shift
    return shifted, torch.randn(shape, generator=generator)


def _whole_shift(batch: LatentPairs, alpha_bar: torch.Tensor) -> torch.Tensor:
    start = alpha_bar[-1]
    return (start / (1 - start)).sqrt() * (batch.masked_person - batch.x_0)


@torch.no_grad()
def _teacher_answer(
    teacher: Denoiser | None, noised: NoisedBatch, taps: Sequence[str]
) -> tuple[torch.Tensor | None, Features]:
    """The teacher's epsilon, where there is a teacher, and its features at `taps`."""
    if teacher is None:
        return None, {}
    teacher.to(noised.x_t.device)
    assert isinstance(teacher.unet, UNet2DConditionModel)
    with tapped(teacher.unet, taps) as features:
        sample, tokens = noised.model_input(teacher.config.unet)
        eps: torch.Tensor = teacher(sample, noised.timestep, tokens)
    return eps, features


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device

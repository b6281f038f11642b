"""Trains a U-Net to undo noise from the warm start on: alone (a teacher), or beside a teacher (a student).

Sampling starts from the noised warped composite, not from the noised truth. Along DDIM's deterministic path
that start never fades: it stays in the noise as a constant offset. With a = alpha_bar at the first timestep,

    x_start = sqrt(a) c + sqrt(1-a) n = sqrt(a) x_0 + sqrt(1-a) (n + k (c - x_0)),   k = sqrt(a / (1-a)),

so noise shifted by k (c - x_0) is what the network meets at every step, and what it is trained on here. A random
share of the shift also covers the stochastic samplers, which replace part of that noise on the way.

Half of a batch are states the network's own sampling leads to, one step from a noisier one, with the truth as before
for an answer. What it gets wrong early in a trajectory it so learns to put right later, instead of taking it for
evidence (as in DREAM, Zhou et al. 2023, arXiv:2312.00210, which mends the same mismatch for super-resolution).

A student may also be taught by its teacher's features (`training.alignment`). What compares them has weights of its
own: they train, are saved and are resumed with the student, and are left behind in the run's folder at its end.

The loss is taken on epsilon, whatever the network's own output means (see `lite_vton.model.denoiser`), and weighted
so that no timestep outweighs the others by much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from lite_vton.errors import UserError
from lite_vton.model.denoiser import Denoiser, alpha_bars
from lite_vton.model.unet import build_unet
from lite_vton.presets import ModelConfig
from training.latents import LatentPairs
from training.loop import BatchLoss, LoopConfig, Observer, OnStep, fit
from training.losses import Distillation, LossConfig, Prediction, distillation
from training.similarity import Similarity
from training.taps import Features, matching_taps, tap_widths, tapped

__all__ = [
    "MIN_SNR_GAMMA",
    "OUTSIDE_WEIGHT",
    "OWN_SHARE",
    "Lesson",
    "timestep_weight",
    "train_denoiser",
    "warm_noise",
]

MIN_SNR_GAMMA = 5.0
"""Clip of the signal-to-noise weight (Hang et al. 2023, "Efficient diffusion training via min-SNR weighting")."""

OUTSIDE_WEIGHT = 0.1
"""Weight of positions that are not repainted: the person's own pixels replace them in the end."""

OWN_SHARE = 0.5
"""Of a batch: samples that are states of the network's own sampling instead of noised truths."""

PROBES = 8
"""Pairs on which the similarity of student and teacher is measured: always the first ones, with the same noise."""


class Lesson(nn.Module):
    """A student and what compares its features with its teacher's: one module, so that both train and are saved."""

    def __init__(self, student: Denoiser, alignment: nn.Module, taps: Sequence[str]) -> None:
        super().__init__()
        self.student = student
        self.alignment = alignment
        self._taps = tuple(taps)

    def forward(
        self, sample: torch.Tensor, timestep: torch.Tensor, teacher: Features | None = None
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """As the student; given the teacher's features, its epsilon and their distance from the student's."""
        assert isinstance(self.student.unet, UNet2DConditionModel)
        if teacher is None:
            eps: torch.Tensor = self.student(sample, timestep)
            return eps
        with tapped(self.student.unet, self._taps) as features:
            eps = self.student(sample, timestep)
        return eps, self.alignment(features, teacher)


def train_denoiser(
    config: ModelConfig,
    pairs: LatentPairs,
    loop: LoopConfig,
    folder: Path,
    *,
    distill: str = "none",
    teacher: Denoiser | None = None,
    start: UNet2DConditionModel | None = None,
    losses: LossConfig = LossConfig(),  # noqa: B008  # frozen
    resume: bool = False,
    on_step: OnStep | None = None,
    observers: Sequence[Observer] = (),
) -> UNet2DConditionModel:
    """A U-Net of `config` fitted to `pairs`; `distill` names a row of `training.losses.DISTILLATIONS`.

    `start` is a U-Net of `config` to go on from (`training.slimming` makes one), and is changed; without it weights are
    random. `observers` are handed the student's `Denoiser`. Raises as `training.loop.fit`, and `UserError` for features
    to be compared with a teacher of other levels or with none.
    """
    kind = distillation(distill)
    alpha_bar = alpha_bars(config.schedule)
    denoiser = _start(config, loop.seed) if start is None else Denoiser(config, start)
    module, taps = _lesson(denoiser, kind, teacher, losses, loop.seed)
    heard = teacher if len(kind.terms) > 1 else None  # without a term of the teacher's its answer is not computed
    loss = NoiseLoss(pairs, alpha_bar, loop.batch_size, config.unet.residual_deviation, kind, losses, heard, taps)
    watching = [_of_student(observe) for observe in observers]
    if teacher is not None and losses.similarity_every:
        watching.append(_similarity(teacher, loss, losses.similarity_every))
    about = {
        "preset": config.name,
        "distill": distill,
        "start": "random" if start is None else "given",
        "losses": asdict(losses),
    }
    fit(module, loss, loop, folder, resume=resume, on_step=on_step, about=about, observers=watching)
    unet = denoiser.unet
    assert isinstance(unet, UNet2DConditionModel)
    return unet


@dataclass(frozen=True)
class NoiseLoss(BatchLoss):
    """The terms of one kind of distillation on the samples at `share` of each step's batch."""

    pairs: LatentPairs
    alpha_bar: torch.Tensor
    batch_size: int
    deviation: float | None
    kind: Distillation
    losses: LossConfig
    teacher: Denoiser | None
    taps: Sequence[str] = ()
    share: slice = field(default_factory=lambda: slice(None))

    def __call__(self, module: nn.Module, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """See `BatchLoss`; `module` is a `Denoiser`, or a `Lesson` where features are compared."""
        lot = self.draw(module, generator)
        eps_teacher, features = _taught(self.teacher, lot, self.taps)
        if features:
            eps_student, distance = module(lot.sample, lot.timestep, features)
        else:
            eps_student, distance = module(lot.sample, lot.timestep), None
        return self.losses.weighted(self.kind, Prediction(lot.eps, eps_student, eps_teacher, lot.weight, distance))

    def part(self, share: slice) -> NoiseLoss:
        """See `BatchLoss`."""
        return replace(self, share=share)

    def at_fault(self, module: nn.Module, generator: torch.Generator) -> list[str]:
        """See `BatchLoss`; pairs are numbered as in the data, from 0."""
        lot = self.draw(module, generator)
        error = (lot.weight * (module(lot.sample, lot.timestep) - lot.eps).square()).flatten(1).sum(dim=1)
        rows = (~error.isfinite()).nonzero().flatten().tolist()
        batch = range(self.batch_size)[self.share]
        return [f"sample {batch[row]} of the batch (pair {int(lot.chosen[row])})" for row in rows]

    def draw(self, module: nn.Module, generator: torch.Generator) -> Lot:
        """This part's samples; the random numbers are those of the whole batch, whatever the part."""
        alpha_bar, count = self.alpha_bar, round(OWN_SHARE * self.batch_size)
        chosen = torch.randint(len(self.pairs), (self.batch_size,), generator=generator)
        batch = self.pairs.batch(chosen)
        timestep = torch.randint(len(alpha_bar), (self.batch_size,), generator=generator)
        eps = warm_noise(batch, alpha_bar, generator)
        jump = torch.rand(count, generator=generator)

        chosen, batch, timestep, eps = chosen[self.share], batch.part(self.share), timestep[self.share], eps[self.share]
        jump = jump[self.share]  # the batch's first samples, so the first of each part
        abar = alpha_bar[timestep].view(-1, 1, 1, 1)
        x_t = abar.sqrt() * batch.x_0 + (1 - abar).sqrt() * eps
        own = slice(0, len(jump))
        if len(jump):
            x_t[own] = _own_state(module, batch.part(own), eps[own], timestep[own], jump, alpha_bar)
        eps = (x_t - abar.sqrt() * batch.x_0) / (1 - abar).sqrt()
        weight = timestep_weight(abar, self.deviation)
        weight = weight * (OUTSIDE_WEIGHT + (1 - OUTSIDE_WEIGHT) * batch.mask)
        lot = Lot(chosen, torch.cat([x_t, batch.conditions()], dim=1), timestep, eps, weight)
        return lot.to(_device(module))


@dataclass(frozen=True)
class Lot:
    """Samples of one step: pairs `chosen` (N,), what the U-Net is shown, and the epsilon it ought to say."""

    chosen: torch.Tensor
    sample: torch.Tensor
    timestep: torch.Tensor
    eps: torch.Tensor
    weight: torch.Tensor

    def to(self, device: torch.device) -> Lot:
        """The same on `device`."""
        return Lot(*(tensor.to(device) for tensor in vars(self).values()))


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


def _lesson(
    denoiser: Denoiser, kind: Distillation, teacher: Denoiser | None, losses: LossConfig, seed: int
) -> tuple[nn.Module, list[str]]:
    """What is trained, and the taps where features are compared: the student itself and none, unless `kind` does."""
    if kind.alignment is None:
        return denoiser, []
    if teacher is None:
        raise UserError("feature distillation needs a teacher: give one, or distil with 'none'")
    assert isinstance(denoiser.unet, UNet2DConditionModel)
    assert isinstance(teacher.unet, UNet2DConditionModel)
    taps = matching_taps(denoiser.unet, teacher.unet, losses.taps)
    student, taught = (tap_widths(unet) for unet in (denoiser.unet, teacher.unet))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        alignment = kind.alignment({tap: student[tap] for tap in taps}, {tap: taught[tap] for tap in taps})
    return Lesson(denoiser, alignment, taps), taps


def _of_student(observe: Observer) -> Observer:
    def on_student(step: int, module: nn.Module) -> dict[str, float]:
        return observe(step, module.student if isinstance(module, Lesson) else module)

    return on_student


def _similarity(teacher: Denoiser, loss: NoiseLoss, every: int) -> Observer:
    """CKA on the first pairs, noised to evenly spaced timesteps, always with the same noise."""
    probes = loss.pairs.part(slice(0, PROBES))
    generator = torch.Generator().manual_seed(0)
    timestep = torch.linspace(0, len(loss.alpha_bar) - 1, len(probes)).long()
    abar = loss.alpha_bar[timestep].view(-1, 1, 1, 1)
    x_t = abar.sqrt() * probes.x_0 + (1 - abar).sqrt() * warm_noise(probes, loss.alpha_bar, generator)
    similarity = Similarity(teacher, torch.cat([x_t, probes.conditions()], dim=1), timestep)

    def observe(step: int, student: nn.Module) -> dict[str, float]:
        assert isinstance(student, Denoiser)
        return similarity(student) if step % every == 0 else {}

    return _of_student(observe)


@torch.no_grad()
def _own_state(
    module: nn.Module,
    batch: LatentPairs,
    eps: torch.Tensor,
    timestep: torch.Tensor,
    jump: torch.Tensor,
    alpha_bar: torch.Tensor,
) -> torch.Tensor:
    """Where one DDIM step of the network as it is now leads, to `timestep` from one above it, by the share `jump`."""
    last = len(alpha_bar) - 1
    above = timestep + ((last - timestep) * jump).ceil().long()
    here, there = (alpha_bar[t].view(-1, 1, 1, 1) for t in (above, timestep))
    x_t = here.sqrt() * batch.x_0 + (1 - here).sqrt() * eps
    device = _device(module)
    # Past DDP's wrapper, which expects as many calls in every process; another's share may have no such sample.
    bare = module.module if isinstance(module, nn.parallel.DistributedDataParallel) else module
    found = bare(torch.cat([x_t, batch.conditions()], dim=1).to(device), above.to(device)).to(x_t.device)
    x_0 = (x_t - (1 - here).sqrt() * found) / here.sqrt()
    rolled: torch.Tensor = there.sqrt() * x_0 + (1 - there).sqrt() * found
    return rolled


@torch.no_grad()
def _taught(teacher: Denoiser | None, lot: Lot, taps: Sequence[str]) -> tuple[torch.Tensor | None, Features]:
    """The teacher's epsilon, where there is a teacher, and its features at `taps`."""
    if teacher is None:
        return None, {}
    teacher.to(lot.sample.device)
    assert isinstance(teacher.unet, UNet2DConditionModel)
    with tapped(teacher.unet, taps) as features:
        eps: torch.Tensor = teacher(lot.sample, lot.timestep)
    return eps, features


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device

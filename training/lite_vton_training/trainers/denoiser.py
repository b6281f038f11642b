"""Trains a U-Net to undo noise (`lite_vton_training.trainers.noise_loss`): alone, a teacher, or beside a teacher, a
student.

A student may also be taught by its teacher's features (`lite_vton_training.distillation.alignment`). What compares them
has weights of its own: they train, are saved and are resumed with the student, and are left behind in the run's folder
at its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from lite_vton.errors import UserError
from lite_vton.model.denoiser import Denoiser, alpha_bars
from lite_vton.model.unet import build_unet
from lite_vton.presets.conditioning import Conditioning
from lite_vton.presets.config import ModelConfig
from lite_vton_training.dataset.latents import LatentPairs, Pairs
from lite_vton_training.distillation.cross_attention import CrossAttentionAlignment
from lite_vton_training.distillation.similarity import Similarity
from lite_vton_training.distillation.taps import Features, matching_taps, tap_widths, tapped
from lite_vton_training.loop.fit import LoopConfig, Observer, OnStep, fit
from lite_vton_training.loop.weights_digest import weights_digest
from lite_vton_training.trainers.losses import Distillation, LossConfig, distillation
from lite_vton_training.trainers.noise_loss import NoiseLoss, warm_noise

__all__ = ["Lesson", "train_denoiser"]

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
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        teacher: Features | None = None,
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """As the student; given the teacher's features, its epsilon and their distance from the student's."""
        assert isinstance(self.student.unet, UNet2DConditionModel)
        if teacher is None:
            eps: torch.Tensor = self.student(sample, timestep, encoder_hidden_states)
            return eps
        with tapped(self.student.unet, self._taps) as features:
            eps = self.student(sample, timestep, encoder_hidden_states)
        return eps, self.alignment(features, teacher)


def train_denoiser(
    config: ModelConfig,
    pairs: Pairs,
    loop: LoopConfig,
    folder: Path,
    *,
    distill: str = "none",
    teacher: Denoiser | None = None,
    start: UNet2DConditionModel | None = None,
    losses: LossConfig = LossConfig(),  # noqa: B008  # frozen
    image_encoder: nn.Module | None = None,
    resume: bool = False,
    on_step: OnStep | None = None,
    observers: Sequence[Observer] = (),
    about: Mapping[str, object] | None = None,
) -> UNet2DConditionModel:
    """A U-Net of `config` fitted to `pairs`; `distill` names a row of
    `lite_vton_training.trainers.losses.DISTILLATIONS`.

    `start` is a U-Net of `config` to go on from (`lite_vton_training.distillation.slimming` makes one), and is changed;
    without it weights are random. `image_encoder` is the tower that the tokens of `pairs` come from: a resumed run has
    to have the same. `about` says what `pairs` are of, as JSON: a resumed run has to have the same, and the same
    teacher and `start`. `observers` are handed the student's `Denoiser`. Student and teacher are each told what their
    own preset says: one may have CLIP's tokens or the pose and the other not, as long as `pairs` hold them.

    Raises as `lite_vton_training.loop.fit.fit`, `UserError` for features to be compared with a teacher of other levels
    or with none, and `ValueError` for tokens that `pairs` lack.
    """
    kind = distillation(distill)
    if isinstance(pairs, LatentPairs) and torch.cuda.is_available():
        pairs = pairs.to(torch.device("cuda"))  # a few GB at most, and no batch has to travel
    alpha_bar = alpha_bars(config.schedule)
    denoiser = _start(config, loop.seed) if start is None else Denoiser(config, start)
    module, taps = _lesson(denoiser, kind, teacher, losses, loop.seed)
    heard = teacher if len(kind.terms) > 1 else None  # without a term of the teacher's its answer is not computed
    loss = NoiseLoss(pairs, alpha_bar, loop.batch_size, config.unet, kind, losses, heard, taps)
    watching = [_of_student(observe) for observe in observers]
    if teacher is not None and losses.similarity_every:
        watching.append(_similarity(teacher, loss, losses.similarity_every))
    run = {
        "preset": config.name,
        "conditioning": asdict(Conditioning.of(config)),
        "distill": distill,
        "start": "random" if start is None else "given",
        "losses": asdict(losses),
        "image_encoder": None if image_encoder is None else weights_digest(image_encoder),
        "teacher": None if teacher is None else weights_digest(teacher),
        "first_weights": None if start is None else weights_digest(start),
        **(about or {}),
    }
    fit(module, loss, loop, folder, resume=resume, on_step=on_step, about=run, observers=watching)
    unet = denoiser.unet
    assert isinstance(unet, UNet2DConditionModel)
    return unet


def _start(config: ModelConfig, seed: int) -> Denoiser:
    """Random weights; what predicts a residual begins with none, so its first picture is the pasted warp."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = build_unet(config)
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
    """CKA on the first pairs, noised to evenly spaced timesteps, always with the same noise.

    Where attention compares features, also at how much of a window it looks (`CrossAttentionAlignment.attended`).
    """
    probes = loss.pairs.part(slice(0, PROBES)).to(loss.alpha_bar.device)
    generator = torch.Generator().manual_seed(0)
    timestep = torch.linspace(0, len(loss.alpha_bar) - 1, len(probes)).long()
    abar = loss.alpha_bar[timestep].view(-1, 1, 1, 1)
    x_t = abar.sqrt() * probes.x_0 + (1 - abar).sqrt() * warm_noise(probes, loss.alpha_bar, generator)
    similarity = Similarity(teacher, probes, x_t, timestep)

    def observe(step: int, module: nn.Module) -> dict[str, float]:
        if step % every:
            return {}
        student = module.student if isinstance(module, Lesson) else module
        assert isinstance(student, Denoiser)
        features = similarity.features(student)
        found = similarity.of(*features)
        if isinstance(module, Lesson) and isinstance(module.alignment, CrossAttentionAlignment):
            device = next(module.parameters()).device
            mine, taught = ({tap: each.to(device) for tap, each in kind.items()} for kind in features)
            found |= {f"attention.{tap}": share for tap, share in module.alignment.attended(mine, taught).items()}
        return found

    return observe

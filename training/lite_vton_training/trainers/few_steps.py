"""Teaches a denoiser to sample in few steps: to land with one jump where its teacher's many small steps lead.

Try-on starts warm and is held by its conditions, so a trajectory is nearly straight and few jumps can follow it. The
jumps that are taught are the very ones its sampler will take ("target timestep selection", as in Target-Driven
Distillation, arXiv:2409.01347): each sample of a batch draws a number of steps, and a timestep of that many steps'
schedule, t, with the next one, s, for its target. It is shown the state that the student's own sampling leads to at t,
from the warm start on, so it learns on the states it will meet. With alpha_bar a, DDIM's jump is

    x_s = r x_t + (sqrt(1 - a_s) - r sqrt(1 - a_t)) eps,   r = sqrt(a_s / a_t),

so that wherever x_s should be there is one epsilon that leads there (Salimans & Ho 2022, arXiv:2202.00512), and the
loss is the usual one on epsilon. Rows of `METHODS` differ in who says where x_s should be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from lite_vton.errors import UserError
from lite_vton.messages.choices import one_of
from lite_vton.model.denoiser import Denoiser, alpha_bars
from lite_vton.presets.conditioning import Conditioning
from lite_vton.presets.config import ModelConfig, UNetConfig
from lite_vton_training.dataset.latents import LatentPairs, Pairs
from lite_vton_training.loop.checkpoint import is_begun
from lite_vton_training.loop.fit import LoopConfig, OnStep, as_begun, fit
from lite_vton_training.loop.weights_digest import weights_digest
from lite_vton_training.trainers.losses import Prediction, noise_term
from lite_vton_training.trainers.noise_loss import OUTSIDE_WEIGHT, NoisedBatch, timestep_weight

__all__ = [
    "METHODS",
    "FewStepConfig",
    "FewStepLoss",
    "ddim_jump",
    "epsilon_to",
    "levels",
    "train_few_steps",
    "train_progressively",
]

CLEAN = -1
"""In the place of a timestep: no noise at all, the end of sampling."""


@dataclass(frozen=True)
class FewStepConfig:
    """What is taught; saved with the run.

    `counts` are the numbers of steps the student is to sample in. `substeps` is into how many DDIM steps the teacher
    cuts a jump. `method` is a row of `METHODS`. `truth` is the weight of the usual loss beside it: that against the
    picture itself.
    """

    counts: tuple[int, ...] = (4, 2, 1)
    substeps: int = 8
    method: str = "trajectory"
    truth: float = 0.0


@dataclass(frozen=True)
class FewStepLoss:
    """The loss of one number of jumps, a `lite_vton_training.loop.fit.BatchLoss`; `teacher` is frozen, `unet` the
    student's shape.
    """

    pairs: Pairs
    alpha_bar: torch.Tensor
    batch_size: int
    unet: UNetConfig
    teacher: Denoiser
    config: FewStepConfig
    share: slice = field(default_factory=lambda: slice(None))

    def __call__(self, module: nn.Module, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Terms of the step's batch: `jump`, and `truth` where that has a weight."""
        noised, truth = self.draw(module, generator)
        sample, tokens = noised.model_input(self.unet)
        eps = module(sample, noised.timestep, tokens)
        terms = {"jump": noise_term(Prediction(noised.eps, eps, None, noised.weight))}
        if self.config.truth:
            terms["truth"] = self.config.truth * noise_term(Prediction(truth, eps, None, noised.weight))
        return terms

    def part(self, share: slice) -> FewStepLoss:
        """See `BatchLoss`."""
        return replace(self, share=share)

    def at_fault(self, module: nn.Module, generator: torch.Generator) -> list[str]:
        """See `BatchLoss`; pairs are numbered as in the data, from 0."""
        noised, _ = self.draw(module, generator)
        sample, tokens = noised.model_input(self.unet)
        error = (noised.weight * (module(sample, noised.timestep, tokens) - noised.eps).square()).flatten(1).sum(dim=1)
        batch = range(self.batch_size)[self.share]
        rows = (~error.isfinite()).nonzero().flatten().tolist()
        return [f"sample {batch[row]} of the batch (pair {int(noised.chosen[row])})" for row in rows]

    @torch.no_grad()
    def draw(self, module: nn.Module, generator: torch.Generator) -> tuple[NoisedBatch, torch.Tensor]:
        """This part's samples with the epsilon to be said, and beside them the one that leads to the picture itself."""
        size, total = self.batch_size, len(self.alpha_bar)
        chosen = torch.randint(len(self.pairs), (size,), generator=generator)[self.share]
        which = torch.randint(len(self.config.counts), (size,), generator=generator)[self.share]
        where = torch.rand(size, generator=generator)[self.share]
        between = torch.rand(size, generator=generator)[self.share]
        noise = torch.randn((size, *self.pairs.latent_shape), generator=generator)[self.share]

        device = next(module.parameters()).device
        batch, noise = self.pairs.batch(chosen).to(device), noise.to(device)
        paths = [(*levels(total, count), CLEAN) for count in self.config.counts]
        stops = [int(share * (len(paths[row]) - 1)) for share, row in zip(where, which, strict=True)]
        first = _level(self.alpha_bar, torch.full((len(chosen),), total - 1)).to(device)
        x_t = first.sqrt() * batch.masked_person + (1 - first).sqrt() * noise
        bare = module.module if isinstance(module, nn.parallel.DistributedDataParallel) else module
        for step in range(max(stops, default=0)):
            going = torch.tensor([row for row, stop in enumerate(stops) if step < stop], device=device)
            t, s = (torch.tensor([paths[int(which[row])][step + k] for row in going]) for k in (0, 1))
            x_t[going] = self._jump(bare, batch.batch(going), x_t[going], t, s, self.unet)
        timestep = torch.tensor([paths[int(which[row])][stop] for row, stop in enumerate(stops)])
        target = torch.tensor([paths[int(which[row])][stop + 1] for row, stop in enumerate(stops)])

        x_s = METHODS[self.config.method](self, bare, batch, x_t, timestep, target, between)
        eps = epsilon_to(self.alpha_bar, x_t, x_s, timestep, target)
        level = _level(self.alpha_bar, timestep).to(device)
        truth = (x_t - level.sqrt() * batch.x_0) / (1 - level).sqrt()
        weight = timestep_weight(level, self.unet.residual_deviation)
        weight = weight * (OUTSIDE_WEIGHT + (1 - OUTSIDE_WEIGHT) * batch.mask)
        return NoisedBatch(chosen, batch, x_t, timestep.to(device), eps, weight), truth

    def along_trajectory(
        self, batch: LatentPairs, x_t: torch.Tensor, t: torch.Tensor, s: torch.Tensor, substeps: int
    ) -> torch.Tensor:
        """Where the teacher gets from timesteps `t` to `s` (N,) in `substeps` DDIM steps."""
        self.teacher.to(x_t.device)
        for step in range(substeps):
            here, there = (t + ((s - t) * ((step + k) / substeps)).round().long() for k in (0, 1))
            x_t = self._jump(self.teacher, batch, x_t, here, there, self.teacher.config.unet)
        return x_t

    def consistently(
        self,
        student: nn.Module,
        batch: LatentPairs,
        x_t: torch.Tensor,
        t: torch.Tensor,
        s: torch.Tensor,
        share: torch.Tensor,
    ) -> torch.Tensor:
        """The teacher's step by `share` of the way, and the student's own jump from there."""
        between = t - ((t - s) * share).ceil().long().clamp(min=1)
        x_t = self.along_trajectory(batch, x_t, t, between, 1)
        jumping = (between > s).nonzero().flatten().to(x_t.device)
        if len(jumping):
            rows = jumping.cpu()
            x_t[jumping] = self._jump(student, batch.batch(jumping), x_t[jumping], between[rows], s[rows], self.unet)
        return x_t

    def to_truth(self, batch: LatentPairs, x_t: torch.Tensor, t: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        """Where the one epsilon leads that would end in the picture itself."""
        level = _level(self.alpha_bar, t).to(x_t.device)
        return ddim_jump(self.alpha_bar, x_t, (x_t - level.sqrt() * batch.x_0) / (1 - level).sqrt(), t, s)

    def _jump(
        self,
        denoiser: nn.Module,
        batch: LatentPairs,
        x_t: torch.Tensor,
        t: torch.Tensor,
        s: torch.Tensor,
        unet: UNetConfig,
    ) -> torch.Tensor:
        sample, tokens = batch.model_input(unet, x_t)
        eps = denoiser(sample, t.to(x_t.device), tokens).to(x_t.dtype)
        return ddim_jump(self.alpha_bar, x_t, eps, t, s)


Target = Callable[
    [FewStepLoss, nn.Module, LatentPairs, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor
]
METHODS: Mapping[str, Target] = MappingProxyType(
    {
        "trajectory": lambda loss, _student, batch, x_t, t, s, _share: loss.along_trajectory(
            batch, x_t, t, s, loss.config.substeps
        ),
        "consistency": lambda loss, student, batch, x_t, t, s, share: loss.consistently(
            student, batch, x_t, t, s, share
        ),
        "truth": lambda loss, _student, batch, x_t, t, s, _share: loss.to_truth(batch, x_t, t, s),
    }
)
"""Who says where a jump should land: `trajectory`, the teacher's small steps all the way; `consistency`, one of them
and then the student itself, as it is (Song et al. 2023, arXiv:2303.01469), which costs a third; `truth`, nobody but the
picture, on the states of the student's own sampling."""


def levels(total: int, count: int) -> tuple[int, ...]:
    """Timesteps of `count` sampling steps out of `total`, noisiest first: evenly spaced, as the sampler takes them."""
    if not 1 <= count <= total:
        raise UserError(f"cannot sample in {count} steps: choose from 1 to {total}")
    return tuple(round(total - step * (total / count)) - 1 for step in range(count))


def train_few_steps(
    config: ModelConfig,
    pairs: Pairs,
    student: UNet2DConditionModel,
    teacher: Denoiser,
    loop: LoopConfig,
    folder: Path,
    jumps: FewStepConfig = FewStepConfig(),  # frozen
    *,
    resume: bool = False,
    on_step: OnStep | None = None,
    about: Mapping[str, object] | None = None,
) -> UNet2DConditionModel:
    """`student`, a U-Net of `config` that samples in many steps, taught in place to sample in `jumps.counts`.

    `teacher` may be the student as it was: it is not changed, and is copied if it is the very same network. `about`
    says what `pairs` are of, as JSON: a resumed run has to have the same, and the same teacher.
    Raises `UserError` for a method, a count or a number of substeps that there is not, and as
    `lite_vton_training.loop.fit.fit`.
    """
    one_of("way to few steps", jumps.method, METHODS)
    if jumps.substeps < 1 or not jumps.counts:
        raise UserError(f"{jumps.substeps} substeps of {len(jumps.counts)} counts teach nothing: give one or more")
    for count in jumps.counts:
        levels(config.schedule.num_train_timesteps, count)
    if teacher.unet is student:
        teacher = deepcopy(teacher)
    teacher.eval().requires_grad_(False)
    loss = FewStepLoss(pairs, alpha_bars(config.schedule), loop.batch_size, config.unet, teacher, jumps)
    run = {
        "preset": config.name,
        "conditioning": asdict(Conditioning.of(config)),
        "few_steps": asdict(jumps),
        "teacher": weights_digest(teacher),
        **(about or {}),
    }
    fit(Denoiser(config, student), loss, loop, folder, resume=resume, on_step=on_step, about=run)
    return student


def train_progressively(
    config: ModelConfig,
    pairs: Pairs,
    student: UNet2DConditionModel,
    loop: LoopConfig,
    folder: Path,
    counts: Sequence[int] = (4, 2, 1),
    *,
    resume: bool = False,
    on_step: OnStep | None = None,
    about: Mapping[str, object] | None = None,
) -> dict[int, UNet2DConditionModel]:
    """Progressive distillation (arXiv:2202.00512): a stage a count, each doing two of the last one's steps in one.

    The first stage's teacher is `student` itself, changed in place, at twice `counts[0]`. Every stage trains for
    `loop.steps` in a folder of its own; a resumed one that the next stage was begun on stays as long as it is. Returns
    the network of each stage, by its count.
    """
    found = {}
    stages = [folder / f"{count}-steps" for count in counts]
    for count, stage, following in zip(counts, stages, [*stages[1:], None], strict=True):
        taught = Denoiser(config, deepcopy(student))
        jumps = FewStepConfig(counts=(count,), substeps=2)
        built_on = resume and following is not None and is_begun(following)
        length = as_begun(loop, stage) if built_on else loop
        train_few_steps(
            config, pairs, student, taught, length, stage, jumps, resume=resume, on_step=on_step, about=about
        )
        found[count] = deepcopy(student)
    return found


def ddim_jump(
    alpha_bar: torch.Tensor, x_t: torch.Tensor, eps: torch.Tensor, t: torch.Tensor, s: torch.Tensor
) -> torch.Tensor:
    """DDIM from timesteps `t` (N,) straight to the less noisy `s`, either of which may be CLEAN; (N, C, h, w)."""
    keep, gain = _factors(alpha_bar, t, s)
    moved: torch.Tensor = keep.to(x_t.device) * x_t + gain.to(x_t.device) * eps
    return moved


def epsilon_to(
    alpha_bar: torch.Tensor, x_t: torch.Tensor, x_s: torch.Tensor, t: torch.Tensor, s: torch.Tensor
) -> torch.Tensor:
    """The epsilon with which `ddim_jump` leads from `x_t` to `x_s`."""
    keep, gain = _factors(alpha_bar, t, s)
    eps: torch.Tensor = (x_s - keep.to(x_t.device) * x_t) / gain.to(x_t.device)
    return eps


def _factors(alpha_bar: torch.Tensor, t: torch.Tensor, s: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of x_t and of epsilon in the jump, (N, 1, 1, 1); in float64, as neighbours differ little."""
    here, there = (_level(alpha_bar, timestep).double() for timestep in (t, s))
    keep = (there / here).sqrt()
    return keep.float(), ((1 - there).sqrt() - keep * (1 - here).sqrt()).float()


def _level(alpha_bar: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
    """alpha_bar (N, 1, 1, 1) at timesteps (N,); 1 where that is CLEAN."""
    return torch.cat([torch.ones(1), alpha_bar.cpu()])[timestep.cpu() + 1].view(-1, 1, 1, 1)

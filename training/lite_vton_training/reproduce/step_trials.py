"""Distillation of steps on the demo student: which ways there are, trained and judged on held-out people.

The student that comes with the package is taught to sample in few steps by each row of `WAYS`, all with the same pairs,
number of updates and samples; beside them stand the student and its teacher as they are. Every network is judged in
each number of steps: nearness to the photograph, to the teacher's picture in many steps, and sharpness, since few steps
of a network trained on squared errors tend towards a mean, which such errors do not punish.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from numpy.typing import NDArray

from lite_vton.atomic import write_text
from lite_vton.errors import UserError
from lite_vton.model.denoiser import Denoiser
from lite_vton.model.networks import Networks
from lite_vton_training.dataset.drawn import drawn_pictures, held_out_pictures
from lite_vton_training.dataset.latents import LatentPairs, encode_pairs, kept_pairs
from lite_vton_training.loop.fit import LoopConfig
from lite_vton_training.loop.json_object import read_object
from lite_vton_training.loop.stages import Clock, stage
from lite_vton_training.loop.weights_digest import weights_digest
from lite_vton_training.metrics import Backbones, relative_sharpness
from lite_vton_training.metrics.held_out import HeldOut, decoded, figures, psnr_to_teacher
from lite_vton_training.trainers.few_steps import FewStepConfig, train_few_steps, train_progressively
from lite_vton_training.trainers.sampling import sample_latents

__all__ = ["STUDENT", "TEACHER", "WAYS", "StepBudget", "StepTrials", "Way"]

STUDENT, TEACHER = "student", "teacher"
"""Rows that are not trained: the networks that come with the package."""

Found = dict[str, dict[str, float | None]]
"""By number of steps, in words as JSON wants it, the figures of a network."""


@dataclass(frozen=True)
class StepBudget:
    """What each row is given, and what it is judged on. `many` is the number of steps that stands for enough."""

    pairs: int = 1000
    held_out: int = 64
    batch_size: int = 8
    updates: int = 300
    learning_rate: float = 2e-4
    ema_decay: float = 0.99
    counts: tuple[int, ...] = (4, 2, 1)
    substeps: int = 4
    many: int = 50
    data_seed: int = 20251


@dataclass(frozen=True)
class Way:
    """One way of teaching. `method` is a row of `lite_vton_training.trainers.few_steps.METHODS` or "progressive"; `by`
    who shows the way, STUDENT (itself, as it was) or TEACHER; `truth` as in `FewStepConfig`."""

    name: str
    method: str
    by: str = STUDENT
    truth: float = 0.0


WAYS: Mapping[str, Way] = MappingProxyType(
    {
        way.name: way
        for way in (
            Way("progressive", "progressive"),
            Way("consistency", "consistency"),
            Way("trajectory", "trajectory"),
            Way("trajectory-of-teacher", "trajectory", by=TEACHER),
            Way("trajectory-and-truth", "trajectory", truth=0.5),
        )
    }
)
"""progressive is the baseline to beat (Salimans & Ho 2022)."""


@dataclass(frozen=True)
class StepTrials:
    """All rows of `budget` in `folder`. `student` and `teacher` share the autoencoder."""

    folder: Path
    budget: StepBudget
    student: Networks
    teacher: Networks
    bf16: bool = False

    def settings(self) -> dict[str, object]:
        """All that a figure depends on beside row and seed."""
        unets = self.student.autoencoder, self.student.unet, self.teacher.unet
        return {"budget": _plain(asdict(self.budget)), "bf16": self.bf16, "weights": weights_digest(*unets)}

    def untaught(self) -> dict[str, Found]:
        """The teacher as it is in many steps, the student in few and in many."""
        file = self.folder / "untaught.json"
        if not file.is_file():
            student = Denoiser(self.student.config, self.student.unet)
            counts = tuple(dict.fromkeys((self.budget.many, 8, *self.budget.counts)))
            found = {
                TEACHER: {str(self.budget.many): self._judged(self._teachers_latents)},
                STUDENT: {str(count): self._judged(self._sampled(student, count)) for count in counts},
            }
            self.folder.mkdir(parents=True, exist_ok=True)
            write_text(file, json.dumps(found, indent=1) + "\n")
        return {name: _figures(found, file) for name, found in read_object(file).items()}

    def run(self, way: Way, seed: int) -> Found:
        """Teach and judge, or read what was found before."""
        folder = self.folder / way.name / str(seed)
        file = folder / "result.json"
        if not file.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            taught = self._taught(way, seed, folder)
            found = {str(count): self._judged(self._sampled(each, count)) for count, each in taught.items()}
            write_text(file, json.dumps(found, indent=1) + "\n")
        return _figures(read_object(file), file)

    def _taught(self, way: Way, seed: int, folder: Path) -> dict[int, Denoiser]:
        """The network to use for each number of steps."""
        budget, config = self.budget, self.student.config
        unet = deepcopy(self.student.unet)
        assert isinstance(unet, UNet2DConditionModel)
        stages = len(budget.counts) if way.method == "progressive" else 1
        loop = self._loop(seed, budget.updates // stages)
        with stage(f"{way.name} {seed}", loop, Clock(folder / "minutes.json")) as on_step:
            if way.method == "progressive":
                of = train_progressively(
                    config, self._pairs, unet, loop, folder, budget.counts, resume=True, on_step=on_step
                )
                return {count: Denoiser(config, each) for count, each in of.items()}
            shows = self.student if way.by == STUDENT else self.teacher
            lesson = FewStepConfig(budget.counts, budget.substeps, way.method, way.truth)
            guide = Denoiser(shows.config, deepcopy(shows.unet))
            train_few_steps(config, self._pairs, unet, guide, loop, folder, lesson, resume=True, on_step=on_step)
        return dict.fromkeys(budget.counts, Denoiser(config, unet))

    def _loop(self, seed: int, updates: int) -> LoopConfig:
        budget = self.budget
        return LoopConfig(
            steps=updates,
            batch_size=budget.batch_size,
            learning_rate=budget.learning_rate,
            warmup_steps=max(1, updates // 20),
            ema_decay=budget.ema_decay,
            seed=seed,
            checkpoint_every=100,
            bf16=self.bf16,
        )

    def _judged(self, latents: torch.Tensor) -> dict[str, float | None]:
        painted, plain = (self._decoded(latents, detail=detail) for detail in (True, False))
        found = figures(painted, self._held_out, Backbones())
        found["psnr_to_teacher"] = psnr_to_teacher(painted, self._teachers_pictures, self._held_out)
        people = self._held_out.pictures
        sharp = [relative_sharpness(*each) for each in zip(plain, people.person, people.mask > 0, strict=True)]
        found["sharpness"] = float(np.nanmedian(sharp))
        return found

    def _sampled(self, denoiser: Denoiser, count: int) -> torch.Tensor:
        return sample_latents(replace(denoiser.config, default_steps=count), denoiser.eval(), self._held_out.pairs)

    def _decoded(self, latents: torch.Tensor, *, detail: bool) -> NDArray[np.uint8]:
        autoencoder, scale = self.student.autoencoder, self.student.latent_scale
        return decoded(latents, self._held_out, autoencoder, scale, detail=detail)

    @cached_property
    def _teachers_latents(self) -> torch.Tensor:
        return self._sampled(Denoiser(self.teacher.config, self.teacher.unet), self.budget.many)

    @cached_property
    def _teachers_pictures(self) -> NDArray[np.uint8]:
        return self._decoded(self._teachers_latents, detail=True)

    @cached_property
    def _pairs(self) -> LatentPairs:
        def make() -> LatentPairs:
            pictures = drawn_pictures(self.folder, self.budget.pairs, self.budget.data_seed, self.student.config)
            return encode_pairs(pictures, self.student.autoencoder, self.student.latent_scale)

        return kept_pairs(self.folder / "latents.safetensors", make)

    @cached_property
    def _held_out(self) -> HeldOut:
        pictures = held_out_pictures(self.folder, self.budget.held_out, self.student.config)
        return HeldOut(pictures, encode_pairs(pictures, self.student.autoencoder, self.student.latent_scale))


def _figures(found: object, file: Path) -> Found:
    """Steps to figures by name; `UserError` where `file` holds something else there."""
    try:
        return {
            steps: {name: None if value is None else float(value) for name, value in judged.items()}
            for steps, judged in found.items()  # type: ignore[attr-defined]  # what is not so is caught
        }
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{file} holds no figures: delete it, and the same command makes it again") from error


def _plain(settings: dict[str, object]) -> dict[str, object]:
    """As JSON gives it back: tuples as lists."""
    read: dict[str, object] = json.loads(json.dumps(settings))
    return read

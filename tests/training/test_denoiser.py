"""The denoiser trains on what the warm-started sampler will show it, and learns from a teacher."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler

from lite_vton.errors import UserError
from lite_vton.model.unet import build_unet
from lite_vton.presets import preset
from training.denoiser import alpha_bars, train_denoiser, warm_noise
from training.latents import LatentPairs
from training.loop import LoopConfig, step_generator
from training.losses import DISTILLATIONS, Prediction, distillation, output_term

TINY = preset("tiny")
LOOP = LoopConfig(steps=60, batch_size=4, learning_rate=3e-3, warmup_steps=5, ema_decay=0.9, checkpoint_every=60)


def random_pairs(count: int = 8) -> LatentPairs:
    generator = torch.Generator().manual_seed(0)
    n, c, h, w = (count, *TINY.latent_shape[1:])
    x_0, pose = (torch.randn((n, c, h, w), generator=generator) for _ in range(2))
    mask = (torch.rand((n, 1, h, w), generator=generator) > 0.5).float()
    return LatentPairs(x_0, mask, x_0 * (1 - mask) + 0.3 * mask, pose)


def test_schedule_equals_the_beginning_of_stable_diffusions() -> None:
    full = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear").alphas_cumprod
    assert torch.allclose(alpha_bars(TINY.schedule), full[: TINY.schedule.num_train_timesteps], atol=1e-6)


def test_whole_shift_makes_the_first_sample_the_noised_composite() -> None:
    """x_start = sqrt(a) c + sqrt(1-a) n, reached from x_0 with the shifted noise at the first timestep."""
    pairs, alpha_bar = random_pairs(), alpha_bars(TINY.schedule)
    a = alpha_bar[-1]
    generator = step_generator(0, 0)
    eps = warm_noise(pairs, alpha_bar, generator)

    generator = step_generator(0, 0)
    share = torch.rand((len(pairs), 1, 1, 1), generator=generator).sqrt()
    noise = torch.randn(pairs.x_0.shape, generator=generator)
    blend = pairs.x_0 + share * (pairs.masked_person - pairs.x_0)
    x_t = a.sqrt() * pairs.x_0 + (1 - a).sqrt() * eps
    assert torch.allclose(x_t, a.sqrt() * blend + (1 - a).sqrt() * noise, atol=1e-5)


def test_output_distillation_brings_the_student_closer_to_its_teacher(tmp_path: Path) -> None:
    torch.manual_seed(0)
    teacher = build_unet(preset("tiny-teacher").unet).eval()
    pairs = random_pairs()
    distances: list[float] = []
    train_denoiser(
        TINY,
        pairs,
        LOOP,
        tmp_path,
        distill="output",
        teacher=teacher,
        on_step=lambda _, t: distances.append(t["output"]),
    )
    assert sum(distances[-10:]) < 0.7 * sum(distances[:10])


def test_same_seed_trains_the_same_weights(tmp_path: Path) -> None:
    short = replace(LOOP, steps=3)
    a, b = (train_denoiser(TINY, random_pairs(), short, tmp_path / name) for name in "ab")
    for first, second in zip(a.parameters(), b.parameters(), strict=True):
        assert torch.equal(first, second)


def test_output_distillation_without_a_teacher_is_refused() -> None:
    nothing = torch.zeros(1, 4, 2, 2)
    with pytest.raises(UserError, match="needs a teacher"):
        output_term(Prediction(nothing, nothing, None, torch.ones(1, 1, 2, 2)))


def test_unknown_distillation_names_the_known_ones() -> None:
    with pytest.raises(UserError, match=", ".join(DISTILLATIONS)):
        distillation("magic")


def test_terms_are_zero_only_for_a_perfect_prediction() -> None:
    eps = torch.randn(2, 4, 3, 3)
    weight = torch.ones(2, 1, 3, 3)
    for term in DISTILLATIONS["output"].values():
        assert term(Prediction(eps, eps, eps, weight)) == 0
        assert term(Prediction(eps, eps + 1, eps, weight)) == pytest.approx(1.0)

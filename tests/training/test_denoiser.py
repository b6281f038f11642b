"""The denoiser trains on what the warm-started sampler will show it, and learns from a teacher."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler

from lite_vton.errors import UserError
from lite_vton.model.denoiser import Denoiser, alpha_bars
from lite_vton.model.unet import build_unet
from lite_vton.presets import preset
from training.denoiser import MIN_SNR_GAMMA, timestep_weight, train_denoiser, warm_noise
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
    share = torch.rand((len(pairs), 1, 1, 1), generator=generator).pow(0.25)
    noise = torch.randn(pairs.x_0.shape, generator=generator)
    blend = pairs.x_0 + share * (pairs.masked_person - pairs.x_0)
    x_t = a.sqrt() * pairs.x_0 + (1 - a).sqrt() * eps
    assert torch.allclose(x_t, a.sqrt() * blend + (1 - a).sqrt() * noise, atol=1e-5)


def test_output_distillation_brings_the_student_closer_to_its_teacher(tmp_path: Path) -> None:
    config, pairs = preset("tiny-teacher"), random_pairs()
    torch.manual_seed(0)
    teacher = Denoiser(config, build_unet(config.unet)).eval()
    sample = torch.cat([torch.randn_like(pairs.x_0), pairs.conditions()], dim=1)
    timestep = torch.linspace(50, 599, len(pairs)).long()
    distance = {}
    for kind, given in (("none", None), ("output", teacher)):
        student = Denoiser(TINY, train_denoiser(TINY, pairs, LOOP, tmp_path / kind, distill=kind, teacher=given))
        with torch.no_grad():
            distance[kind] = (student(sample, timestep) - teacher(sample, timestep)).square().mean()
    assert distance["output"] < 0.8 * distance["none"]


def test_an_untrained_network_answers_with_the_pasted_warp(tmp_path: Path) -> None:
    """At the first timestep all it sees is the composite, and that is what it starts from."""
    pairs, first = random_pairs(), TINY.schedule.num_train_timesteps - 1
    unet = train_denoiser(TINY, pairs, replace(LOOP, steps=1, learning_rate=1e-9), tmp_path)
    a = alpha_bars(TINY.schedule)[first]
    x_t = a.sqrt() * pairs.masked_person  # noise-free, so nothing pulls away from it
    timestep = torch.full((len(pairs),), first)
    with torch.no_grad():
        eps = Denoiser(TINY, unet)(torch.cat([x_t, pairs.conditions()], dim=1), timestep)
    assert torch.allclose((x_t - (1 - a).sqrt() * eps) / a.sqrt(), pairs.masked_person, atol=1e-4)


def test_errors_of_the_networks_output_weigh_one_until_min_snr_lets_go() -> None:
    abar = alpha_bars(TINY.schedule)
    deviation = TINY.unet.residual_deviation or 0.0
    gain = deviation * (abar / (abar * deviation**2 + 1 - abar)).sqrt()  # from the output to epsilon
    weight = timestep_weight(abar, deviation) * gain**2
    noisy = abar / (1 - abar) <= MIN_SNR_GAMMA
    assert torch.allclose(weight[noisy], torch.ones(int(noisy.sum())), atol=1e-4)
    assert (weight[~noisy].diff() > 0).all()
    assert weight.max() <= 1 + 1e-4
    assert (timestep_weight(abar, None) <= 1 + 1e-6).all()


def test_training_on_its_own_states_follows_the_sampler(tmp_path: Path) -> None:
    """A pair learnt by heart comes back from a whole trajectory, not only from one step."""
    pairs = random_pairs(2)
    long = LoopConfig(
        steps=400, batch_size=4, learning_rate=3e-3, warmup_steps=20, ema_decay=0.98, checkpoint_every=400
    )
    unet = train_denoiser(TINY, pairs, long, tmp_path)
    scheduler = DDIMScheduler(
        num_train_timesteps=TINY.schedule.num_train_timesteps,
        beta_start=TINY.schedule.beta_start,
        beta_end=TINY.schedule.beta_end,
        beta_schedule="scaled_linear",
        timestep_spacing="trailing",
        clip_sample=False,
    )
    scheduler.set_timesteps(8)
    a = alpha_bars(TINY.schedule)[-1]
    noise = torch.randn(pairs.x_0.shape, generator=torch.Generator().manual_seed(7))
    x_t = a.sqrt() * pairs.masked_person + (1 - a).sqrt() * noise
    denoiser = Denoiser(TINY, unet)
    with torch.no_grad():
        for t in scheduler.timesteps:
            eps = denoiser(torch.cat([x_t, pairs.conditions()], dim=1), t.expand(len(pairs)))
            x_t = scheduler.step(eps, t, x_t).prev_sample
    inside = pairs.mask.bool().expand_as(x_t)
    before = (pairs.masked_person - pairs.x_0)[inside].square().mean()
    assert (x_t - pairs.x_0)[inside].square().mean() < 0.3 * before


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

"""The denoiser trains on what the warm-started sampler will show it, and learns from a teacher."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler
from safetensors.torch import load_file

from lite_vton.errors import UserError
from lite_vton.model.denoiser import Denoiser, alpha_bars
from lite_vton.model.unet import build_unet
from lite_vton.presets.table import preset
from lite_vton_training.dataset.latents import LatentPairs
from lite_vton_training.distillation.slimming import slim
from lite_vton_training.loop.fit import LoopConfig, step_generator
from lite_vton_training.trainers.denoiser import train_denoiser
from lite_vton_training.trainers.losses import (
    DISTILLATIONS,
    LossConfig,
    Prediction,
    distillation,
    feature_term,
    output_term,
)
from lite_vton_training.trainers.noise_loss import MIN_SNR_GAMMA, NoiseLoss, timestep_weight, warm_noise

pytestmark = pytest.mark.slow

TINY = preset("tiny")
LOOP = LoopConfig(steps=60, batch_size=4, learning_rate=3e-3, warmup_steps=5, ema_decay=0.9, checkpoint_every=60)


def random_pairs(count: int = 8) -> LatentPairs:
    generator = torch.Generator().manual_seed(0)
    n, c, h, w = (count, *TINY.latent_shape[1:])
    x_0, pose = (torch.randn((n, c, h, w), generator=generator) for _ in range(2))
    mask = (torch.rand((n, 1, h, w), generator=generator) > 0.5).float()
    return LatentPairs(x_0, mask, x_0 * (1 - mask) + 0.3 * mask, pose)


def random_teacher() -> Denoiser:
    config = preset("tiny-teacher")
    torch.manual_seed(0)
    return Denoiser(config, build_unet(config)).eval()


class Killed(BaseException):
    """Stands for the signal that ends the process."""


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
    pairs, teacher = random_pairs(), random_teacher()
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
    for term in DISTILLATIONS["output"].terms.values():
        assert term(Prediction(eps, eps, eps, weight)) == 0
        assert term(Prediction(eps, eps + 1, eps, weight)) == pytest.approx(1.0)


def test_features_without_a_teacher_are_refused(tmp_path: Path) -> None:
    nothing = torch.zeros(1, 4, 2, 2)
    with pytest.raises(UserError, match="needs a teacher"):
        feature_term(Prediction(nothing, nothing, nothing, torch.ones(1, 1, 2, 2)))
    with pytest.raises(UserError, match="needs a teacher"):
        train_denoiser(TINY, random_pairs(), LOOP, tmp_path, distill="caad")


def test_weights_multiply_terms() -> None:
    eps = torch.randn(2, 4, 3, 3)
    prediction = Prediction(eps, eps + 1, eps, torch.ones(2, 1, 3, 3), torch.tensor(5.0))
    weighted = LossConfig(noise=2.0, output=0.5, feature=0.1).weighted(DISTILLATIONS["caad"], prediction)
    assert {name: float(value) for name, value in weighted.items()} == pytest.approx(
        {"noise": 2.0, "output": 0.5, "feature": 0.5}
    )


@pytest.mark.parametrize("kind", ["feature", "factor", "caad"])
def test_features_come_nearer_the_teachers_and_nothing_of_it_is_left(kind: str, tmp_path: Path) -> None:
    """The distance falls; the U-Net that comes out has the tensors of one trained alone, and no hooks."""
    seen: list[dict[str, float]] = []
    loop = replace(LOOP, steps=30)
    unet = train_denoiser(
        TINY,
        random_pairs(),
        loop,
        tmp_path,
        distill=kind,
        teacher=random_teacher(),
        losses=LossConfig(noise=0.0, output=0.0, feature=1.0),
        on_step=lambda _, terms: seen.append(terms),
    )
    first, last = (sum(terms["feature"] for terms in part) for part in (seen[:5], seen[-5:]))
    assert last < first
    assert set(unet.state_dict()) == set(build_unet(TINY).state_dict())
    assert not any(module._forward_hooks for module in unet.modules())


def test_relations_are_a_term_like_others(tmp_path: Path) -> None:
    """How they fall is a matter of the batch: four samples' relations change from one to the next."""
    seen: list[dict[str, float]] = []
    train_denoiser(
        TINY,
        random_pairs(),
        replace(LOOP, steps=2),
        tmp_path,
        distill="relation",
        teacher=random_teacher(),
        on_step=lambda _, terms: seen.append(terms),
    )
    assert [list(terms) for terms in seen] == 2 * [["noise", "output", "feature"]]
    assert all(terms["feature"] > 0 for terms in seen)


def test_a_resumed_run_has_the_same_bits_what_compares_features_included(tmp_path: Path) -> None:
    loop = replace(LOOP, steps=5, checkpoint_every=2)
    losses = LossConfig(similarity_every=2)

    def run(name: str, last: int | None, resume: bool = False) -> list[torch.Tensor]:
        def on_step(step: int, _: dict[str, float]) -> None:
            if step == last:
                raise Killed

        unet = train_denoiser(
            TINY,
            random_pairs(),
            loop,
            tmp_path / name,
            distill="caad",
            teacher=random_teacher(),
            losses=losses,
            resume=resume,
            on_step=on_step,
        )
        return list(unet.parameters())

    whole = run("whole", None)
    with pytest.raises(Killed):
        run("cut", 3)
    for a, b in zip(whole, run("cut", None, resume=True), strict=True):
        assert torch.equal(a, b)
    logs = [(tmp_path / name / "log.csv").read_text() for name in ("whole", "cut")]
    assert logs[0] == logs[1]
    header, *rows = logs[0].splitlines()
    taps = ("down0", "down1", "up1", "up0")
    measured = [f"{kind}.{tap}" for kind in ("cka", "attention") for tap in taps]
    assert header.split(",") == ["step", "noise", "output", "feature", *measured]
    assert [row.endswith(8 * ",") for row in rows] == [False, True, False, True, False]
    saved = [load_file(tmp_path / name / "checkpoint/model.safetensors") for name in ("whole", "cut")]
    assert any(name.startswith("alignment.") for name in saved[0])
    assert all(torch.equal(saved[0][name], saved[1][name]) for name in saved[0])


def test_a_run_of_another_preset_is_not_resumed(tmp_path: Path) -> None:
    short = replace(LOOP, steps=1)
    train_denoiser(TINY, random_pairs(), short, tmp_path)
    with pytest.raises(UserError, match="preset 'tiny', not 'tiny-teacher'"):
        train_denoiser(preset("tiny-teacher"), random_pairs(), short, tmp_path, resume=True)


def test_training_goes_on_from_the_start_it_is_given(tmp_path: Path) -> None:
    teacher, start = random_teacher(), build_unet(TINY)
    slim(teacher.unet, start)
    wanted = [parameter.clone() for parameter in start.parameters()]
    unet = train_denoiser(TINY, random_pairs(), replace(LOOP, steps=1, learning_rate=1e-9), tmp_path, start=start)
    for a, b in zip(wanted, unet.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_parts_of_a_batch_add_up_to_the_whole() -> None:
    pairs, teacher = random_pairs(), random_teacher()
    torch.manual_seed(1)
    student = Denoiser(TINY, build_unet(TINY))
    whole = NoiseLoss(pairs, alpha_bars(TINY.schedule), 8, TINY.unet, DISTILLATIONS["output"], LossConfig(), teacher)
    terms = whole(student, step_generator(0, 7))
    parts = [whole.part(slice(i, None, 4))(student, step_generator(0, 7)) for i in range(4)]
    for name, value in terms.items():
        mean = torch.stack([part[name] for part in parts]).mean()
        assert torch.allclose(mean, value, rtol=1e-4)


def test_less_memory_gives_the_same_first_step(tmp_path: Path) -> None:
    """An accumulated gradient and recomputed activations are the gradient of the whole batch."""
    seen: dict[str, list[dict[str, float]]] = {}
    for name, options in (("whole", {}), ("parts", {"accumulation": 2}), ("again", {"gradient_checkpointing": True})):
        loop = replace(LOOP, steps=3, learning_rate=1e-3, **options)
        seen[name] = []
        train_denoiser(
            TINY, random_pairs(), loop, tmp_path / name, on_step=lambda _, terms, name=name: seen[name].append(terms)
        )
    for name in ("parts", "again"):
        for a, b in zip(seen["whole"], seen[name], strict=True):
            assert a == pytest.approx(b, rel=1e-3)


def test_a_sample_that_is_not_finite_is_named_and_the_checkpoint_kept(tmp_path: Path) -> None:
    pairs = random_pairs()
    loop = replace(LOOP, steps=30, checkpoint_every=1, batch_size=2)
    broken = 5
    steps = [torch.randint(8, (2,), generator=step_generator(loop.seed, step)).tolist() for step in range(30)]
    step = next(i for i, chosen in enumerate(steps) if broken in chosen and i > 0)

    def spoil(index: int, _: dict[str, float]) -> None:
        if index == step - 1:
            pairs.x_0[broken] = torch.nan

    with pytest.raises(FloatingPointError) as raised:
        train_denoiser(TINY, pairs, loop, tmp_path, on_step=spoil)
    row = steps[step].index(broken)
    assert f"the loss of step {step} is nan, at sample {row} of the batch (pair {broken})" in str(raised.value)
    assert int((tmp_path / "checkpoint/step.txt").read_text()) == step
    saved = load_file(tmp_path / "checkpoint/model.safetensors")
    assert all(weight.isfinite().all() for weight in saved.values())

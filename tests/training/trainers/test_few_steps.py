"""A student taught to jump lands where its teacher's small steps lead, from the states its own sampling reaches."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from hypothesis import given
from hypothesis import strategies as st

from lite_vton.errors import UserError
from lite_vton.model.denoiser import Denoiser, alpha_bars
from lite_vton.model.networks import random_networks
from lite_vton.presets.table import preset
from lite_vton_runtimes.sampling.schedule import timesteps
from lite_vton_training.dataset.latents import LatentPairs
from lite_vton_training.loop.fit import LoopConfig, step_generator
from lite_vton_training.trainers.few_steps import (
    METHODS,
    FewStepConfig,
    FewStepLoss,
    ddim_jump,
    epsilon_to,
    levels,
    train_few_steps,
    train_progressively,
)
from lite_vton_training.trainers.sampling import sample_latents

pytestmark = pytest.mark.slow

TINY = preset("tiny")
TOTAL = TINY.schedule.num_train_timesteps
LOOP = LoopConfig(steps=40, batch_size=6, learning_rate=3e-3, warmup_steps=4, ema_decay=0.8, checkpoint_every=40)


def random_unet(seed: int = 0) -> UNet2DConditionModel:
    unet = random_networks(TINY, seed).unet
    assert isinstance(unet, UNet2DConditionModel)
    return unet


def random_pairs(count: int = 8) -> LatentPairs:
    generator = torch.Generator().manual_seed(0)
    n, c, h, w = (count, *TINY.latent_shape[1:])
    x_0, pose = (torch.randn((n, c, h, w), generator=generator) for _ in range(2))
    mask = (torch.rand((n, 1, h, w), generator=generator) > 0.5).float()
    return LatentPairs(x_0, mask, x_0 * (1 - mask) + 0.3 * mask, pose)


def loss_of(teacher: Denoiser, jumps: FewStepConfig, batch_size: int = 6) -> FewStepLoss:
    return FewStepLoss(random_pairs(), alpha_bars(TINY.schedule), batch_size, TINY.unet, teacher, jumps)


@given(st.integers(1, TOTAL))
def test_jumps_are_those_the_sampler_takes(count: int) -> None:
    assert levels(TOTAL, count) == tuple(timesteps(TINY.schedule, count).tolist())


@given(st.integers(0, TOTAL - 1), st.data())
def test_the_epsilon_to_a_state_leads_there(t: int, data: st.DataObject) -> None:
    s = data.draw(st.integers(-1, t - 1))
    alpha_bar, times = alpha_bars(TINY.schedule), (torch.tensor([t]), torch.tensor([s]))
    x_t, x_s = torch.randn((2, 1, 4, 2, 2), generator=torch.Generator().manual_seed(t))
    eps = epsilon_to(alpha_bar, x_t, x_s, *times)
    scale = max(1.0, float(eps.abs().max()))  # where t and s are close it takes a large epsilon to get anywhere else
    assert torch.allclose(ddim_jump(alpha_bar, x_t, eps, *times), x_s, atol=1e-4 * scale)


def test_who_is_asked_for_its_own_jump_has_nothing_to_learn() -> None:
    student = Denoiser(TINY, random_unet())
    loss = loss_of(Denoiser(TINY, random_unet()), FewStepConfig(substeps=1))
    assert loss(student, step_generator(0, 0))["jump"].item() < 1e-8


def test_states_are_those_the_students_own_sampling_reaches() -> None:
    """The last of four steps starts where three have led; its jump then ends where the sampler does."""
    student = Denoiser(TINY, random_unet()).eval()
    loss = loss_of(student, FewStepConfig(counts=(4,), substeps=1), batch_size=32)
    noised, _ = loss.draw(student, step_generator(0, 0))
    last = (noised.timestep == levels(TOTAL, 4)[-1]).nonzero().flatten()
    assert len(last)
    generator = step_generator(0, 0)
    torch.randint(8, (32,), generator=generator), torch.randint(1, (32,), generator=generator)
    torch.rand(32, generator=generator), torch.rand(32, generator=generator)
    noise = torch.randn((32, *random_pairs().latent_shape), generator=generator)
    row = int(last[0])
    x_t = noised.x_t[row : row + 1]
    eps = student(noised.batch.part(slice(row, row + 1)).model_input(TINY.unet, x_t)[0], noised.timestep[row : row + 1])
    alone = noised.batch.part(slice(row, row + 1))
    arrived = ddim_jump(loss.alpha_bar, x_t, eps, noised.timestep[row : row + 1], torch.tensor([-1]))
    sampled = sample_latents(replace(TINY, default_steps=4), student, alone, noise=noise[row : row + 1])
    assert torch.allclose(arrived, sampled, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_parts_of_a_batch_see_what_the_whole_sees(method: str) -> None:
    student = Denoiser(TINY, random_unet()).eval()
    loss = loss_of(Denoiser(TINY, random_unet(1)).eval(), FewStepConfig(method=method, truth=0.5))
    whole = loss(student, step_generator(0, 3))
    parts = [loss.part(slice(i, i + 3))(student, step_generator(0, 3)) for i in (0, 3)]
    assert set(whole) == {"jump", "truth"}
    for name, value in whole.items():
        assert value.item() == pytest.approx(sum(part[name].item() for part in parts) / 2, rel=1e-3)


@pytest.mark.parametrize("method", ["trajectory", "consistency"])
def test_one_step_comes_nearer_to_the_teachers_many(method: str, tmp_path: Path) -> None:
    pairs, student = random_pairs(), random_unet()
    teacher = Denoiser(TINY, random_unet(1)).eval()
    many = sample_latents(replace(TINY, default_steps=16), teacher, pairs)

    def away(unet: UNet2DConditionModel) -> float:
        one = sample_latents(replace(TINY, default_steps=1), Denoiser(TINY, unet).eval(), pairs)
        return float((one - many).square().mean())

    before = away(student)
    jumps = FewStepConfig(counts=(2, 1), substeps=4, method=method)
    trained = train_few_steps(TINY, pairs, student, teacher, LOOP, tmp_path, jumps)
    assert away(trained) < 0.6 * before


def test_truth_brings_the_picture_nearer_in_each_number_of_steps(tmp_path: Path) -> None:
    pairs, student = random_pairs(), random_unet()

    def away(unet: UNet2DConditionModel, steps: int) -> float:
        sampled = sample_latents(replace(TINY, default_steps=steps), Denoiser(TINY, unet).eval(), pairs)
        return float((sampled - pairs.x_0).square().mean())

    before = [away(student, steps) for steps in (2, 1)]
    jumps = FewStepConfig(counts=(2, 1), method="truth")
    trained = train_few_steps(TINY, pairs, student, Denoiser(TINY, random_unet(1)), LOOP, tmp_path, jumps)
    assert all(away(trained, steps) < 0.9 * was for steps, was in zip((2, 1), before, strict=True))


def test_a_student_may_be_its_own_teacher(tmp_path: Path) -> None:
    student = random_unet()
    before = deepcopy(student.state_dict())
    loop = replace(LOOP, steps=2, checkpoint_every=2)
    train_few_steps(TINY, random_pairs(), student, Denoiser(TINY, student), loop, tmp_path)
    assert any(not torch.equal(before[name], value) for name, value in student.state_dict().items())
    assert '"few_steps"' in (tmp_path / "config.json").read_text()


def test_progressive_stages_halve_the_steps_one_after_another(tmp_path: Path) -> None:
    student = random_unet()
    stages = train_progressively(TINY, random_pairs(), student, replace(LOOP, steps=2, checkpoint_every=2), tmp_path)
    assert list(stages) == [4, 2, 1]
    assert {path.name for path in tmp_path.iterdir()} == {"4-steps", "2-steps", "1-steps"}
    first, last = (stages[count].state_dict() for count in (4, 1))
    assert any(not torch.equal(first[name], last[name]) for name in first)


@pytest.mark.parametrize(
    ("jumps", "complaint"),
    [
        (FewStepConfig(method="magic"), "unknown way to few steps 'magic'"),
        (FewStepConfig(counts=()), "teach nothing"),
        (FewStepConfig(substeps=0), "teach nothing"),
        (FewStepConfig(counts=(0,)), "cannot sample in 0 steps"),
    ],
)
def test_what_cannot_be_taught_is_refused(jumps: FewStepConfig, complaint: str, tmp_path: Path) -> None:
    teacher = Denoiser(TINY, random_unet(1))
    with pytest.raises(UserError, match=complaint):
        train_few_steps(TINY, random_pairs(), random_unet(), teacher, LOOP, tmp_path / "run", jumps)
    assert not (tmp_path / "run").exists()

from __future__ import annotations

import importlib
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton.presets.config import NoiseSchedule
from lite_vton_runtimes.base import Array
from lite_vton_runtimes.sampling.methods import METHODS
from lite_vton_runtimes.sampling.noise import gaussian
from lite_vton_runtimes.sampling.sampler import sample
from lite_vton_runtimes.sampling.schedule import scheduler_config

SCHEDULE = NoiseSchedule()
SHAPE = (1, 4, 8, 6)
DIFFUSERS = {
    "ddpm": ("DDPMScheduler", "scheduling_ddpm"),
    "ddim": ("DDIMScheduler", "scheduling_ddim"),
    "euler": ("EulerDiscreteScheduler", "scheduling_euler_discrete"),
    "dpmsolver++": ("DPMSolverMultistepScheduler", "scheduling_dpmsolver_multistep"),
    "lcm": ("LCMScheduler", "scheduling_lcm"),
}


def wavy_unet(inputs: Any) -> dict[str, Array]:
    """Nonlinear in the sample, the conditions and the timestep, so that any mistake in either shows."""
    x, t = inputs["sample"], float(inputs["timestep"][0])
    noisy, conditions = x[:, :4], x[:, 4:]
    return {"out_sample": np.tanh(noisy + 0.3 * conditions.mean(axis=1, keepdims=True) + np.float32(t / 600))}


@pytest.fixture
def start() -> tuple[Array, Array]:
    generator = np.random.default_rng(7)
    conditions = generator.standard_normal((1, 9, *SHAPE[2:]), dtype=np.float32)
    return conditions, generator.standard_normal(SHAPE, dtype=np.float32)


def diffusers_trajectory(
    scheduler: Any, conditions: Array, x_start: Array, steps: int, draw: Callable[[], torch.Tensor]
) -> list[NDArray[np.float32]]:
    scheduler.set_timesteps(steps)
    first = scheduler.timesteps[:1]
    x = scheduler.add_noise(torch.from_numpy(x_start), draw(), first)
    trajectory = []
    for t in scheduler.timesteps:
        seen = scheduler.scale_model_input(x, t)
        inputs = {
            "sample": np.concatenate([seen.numpy(), conditions], axis=1),
            "timestep": np.array([int(t)], dtype=np.int64),
        }
        x = scheduler.step(torch.from_numpy(wavy_unet(inputs)["out_sample"]), t, x).prev_sample
        trajectory.append(x.numpy())
    return trajectory


@pytest.mark.parametrize("steps", [4, 8, 20])
@pytest.mark.parametrize("method", sorted(METHODS))
def test_each_method_walks_the_same_trajectory_as_diffusers(
    method: str, steps: int, start: tuple[Array, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    class_name, module = DIFFUSERS[method]
    stream = gaussian(3)

    def draw(*_: Any, **__: Any) -> torch.Tensor:
        return torch.from_numpy(stream(SHAPE))

    source = importlib.import_module(f"diffusers.schedulers.{module}")
    monkeypatch.setattr(source, "randn_tensor", draw)  # the same noise for both
    scheduler = getattr(diffusers, class_name).from_config(scheduler_config(SCHEDULE))
    expected = diffusers_trajectory(scheduler, *start, steps, draw)
    ours = list(sample(wavy_unet, *start, SCHEDULE, method=method, steps=steps, seed=3))

    assert [step.timestep for step in ours] == [int(t) for t in scheduler.timesteps]
    vp = getattr(scheduler, "sigmas", None) if method == "euler" else None
    for index, (step, theirs) in enumerate(zip(ours, expected, strict=True)):
        scale = 1.0 if vp is None else float((vp[index + 1] ** 2 + 1) ** 0.5)
        assert np.abs(step.x_prev - theirs / scale).max() < 1e-4


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_perfect_network_recovers_the_clean_latent(method: str, start: tuple[Array, Array]) -> None:
    """If eps is always the noise that separates x_t from x_0, every method has to end at x_0."""
    conditions, x_start = start
    levels = np.cumprod(1 - np.linspace(SCHEDULE.beta_start**0.5, SCHEDULE.beta_end**0.5, 600) ** 2)

    def oracle(inputs: Any) -> dict[str, Array]:
        level = levels[int(inputs["timestep"][0])]
        eps = (inputs["sample"][:, :4] - level**0.5 * x_start) / (1 - level) ** 0.5
        return {"out_sample": eps.astype(np.float32)}

    *_, final = sample(oracle, conditions, x_start, SCHEDULE, method=method, steps=6)
    np.testing.assert_allclose(final.x_prev, x_start, atol=1e-3)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_steps_chain_stay_float32_and_repeat_with_the_seed(method: str, start: tuple[Array, Array]) -> None:
    first = list(sample(wavy_unet, *start, SCHEDULE, method=method, steps=5, seed=11))
    again = list(sample(wavy_unet, *start, SCHEDULE, method=method, steps=5, seed=11))
    other = list(sample(wavy_unet, *start, SCHEDULE, method=method, steps=5, seed=12))

    assert [step.index for step in first] == [0, 1, 2, 3, 4]
    for step, following in pairwise(first):
        assert step.x_prev is following.x_t
    for step in first:
        assert {a.dtype for a in (step.x_t, step.eps, step.x_0, step.x_prev)} == {np.dtype(np.float32)}
    assert first[-1].x_prev.tobytes() == again[-1].x_prev.tobytes()
    assert not np.array_equal(first[-1].x_prev, other[-1].x_prev)


def test_one_step_is_enough_for_every_method(start: tuple[Array, Array]) -> None:
    for method in METHODS:
        (only,) = sample(wavy_unet, *start, SCHEDULE, method=method, steps=1)
        np.testing.assert_allclose(only.x_prev, only.x_0, atol=1e-5)


def test_noise_is_drawn_only_where_documented(start: tuple[Array, Array]) -> None:
    """The start takes the first value of the stream, and LCM's steps the ones that follow."""
    stream = gaussian(5)
    _, first, second = stream(SHAPE), stream(SHAPE), stream(SHAPE)
    quiet = list(sample(wavy_unet, *start, SCHEDULE, method="ddim", steps=4, seed=5))
    noisy = list(sample(wavy_unet, *start, SCHEDULE, method="lcm", steps=4, seed=5))
    np.testing.assert_array_equal(quiet[0].x_t, noisy[0].x_t)
    for step, following, noise in zip(noisy, noisy[1:], [first, second], strict=False):
        level = np.cumprod(1 - np.linspace(0.00085**0.5, SCHEDULE.beta_end**0.5, 600) ** 2)[following.timestep]
        injected = (step.x_prev - level**0.5 * step.x_0) / (1 - level) ** 0.5
        np.testing.assert_allclose(injected, noise, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "dpmsolver"}, "did you mean 'dpmsolver\\+\\+'"),
        ({"method": "DDIM"}, "did you mean 'ddim'"),
        ({"method": "xyz"}, "choose one of ddpm, ddim, euler"),
        ({"steps": 0}, "choose from 1 to 600"),
        ({"steps": -3}, "choose from 1 to 600"),
        ({"steps": 601}, "choose from 1 to 600"),
        ({"seed": -1}, "seed -1 is negative"),
    ],
)
def test_a_wrong_option_is_refused_before_the_network_runs(
    options: dict[str, Any], message: str, start: tuple[Array, Array]
) -> None:
    with pytest.raises(UserError, match=message):
        sample(wavy_unet, *start, SCHEDULE, **options)


def test_shapes_that_do_not_fit_are_refused(start: tuple[Array, Array]) -> None:
    conditions, x_start = start
    with pytest.raises(ValueError, match="do not lie over the latent"):
        sample(wavy_unet, conditions[..., 1:], x_start, SCHEDULE)

    def lopsided(inputs: Any) -> dict[str, Array]:
        return {"out_sample": inputs["sample"][:, :1]}

    with pytest.raises(ValueError, match="the U-Net answered"):
        next(sample(lopsided, conditions, x_start, SCHEDULE))

"""The one sampling loop, the same for every backend. numpy only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from lite_vton.messages.choices import one_of
from lite_vton.presets.config import NoiseSchedule
from lite_vton_runtimes.base import Array, Component
from lite_vton_runtimes.sampling.methods import METHODS, Transition, Update
from lite_vton_runtimes.sampling.noise import gaussian
from lite_vton_runtimes.sampling.schedule import alpha_bar, timesteps

__all__ = ["Step", "q_sample", "sample"]


@dataclass(frozen=True)
class Step:
    """One finished step. All arrays (1, C, h, w) float32, in scaled latent units.

    `x_t` is what the U-Net saw as noisy latent, `eps` what it answered, `x_0` the clean latent that implies,
    and `x_prev` the next sample: after the last step, the result.
    """

    index: int
    timestep: int
    x_t: Array
    eps: Array
    x_0: Array
    x_prev: Array


def sample(
    unet: Component,
    conditions: Array,
    x_start: Array,
    schedule: NoiseSchedule,
    *,
    method: str = "ddim",
    steps: int = 8,
    seed: int = 0,
    tokens: Array | None = None,
) -> Iterator[Step]:
    """Denoise from a warm start, yielding every step as it is done; stop iterating to cancel.

    `conditions` (1, K, h, w) is everything the U-Net sees after the noisy latent, in its own channel order.
    `x_start` (1, C, h, w) is a clean latent, scaled; sampling starts from it noised to the first timestep, which is
    the schedule's last (see `NoiseSchedule`). `tokens` (1, T, D) go to the U-Net at every step, as
    `encoder_hidden_states`; None for one without cross-attention. `lite_vton_runtimes.sampling.noise.gaussian`
    documents the order noise is drawn in.

    Raises `UserError` at once, before the first step, for an unknown method, a step count outside 1 to T or a
    negative seed, and `ValueError` for shapes that do not fit.
    """
    update = _method(method)
    levels = timesteps(schedule, steps)
    noise = gaussian(seed)
    if x_start.shape[0] != conditions.shape[0] or x_start.shape[2:] != conditions.shape[2:]:
        raise ValueError(f"conditions {conditions.shape} do not lie over the latent {x_start.shape}")

    def draw() -> Array:
        return noise(x_start.shape)

    def run() -> Iterator[Step]:
        signal = [float(value) for value in alpha_bar(schedule)[levels]]
        x_t = q_sample(x_start, draw(), signal[0])
        before: tuple[Array, float] | tuple[None, None] = (None, None)
        for index, (t, now, prev) in enumerate(zip(levels.tolist(), signal, [*signal[1:], 1.0], strict=True)):
            eps = _predict(unet, x_t, conditions, t, tokens)
            x_0 = (x_t - sqrt(1.0 - now) * eps) / sqrt(now)
            x_prev = update(Transition(t, x_t, eps, x_0, now, prev, *before), draw)
            yield Step(index, t, x_t, eps, x_0, x_prev)
            x_t, before = x_prev, (x_0, now)

    return run()


def q_sample(x_0: Array, noise: Array, level: float) -> Array:
    """Clean latent noised to signal level `level` = alpha_bar in (0, 1]; arXiv:2006.11239, eq. 4."""
    return sqrt(level) * x_0 + sqrt(1.0 - level) * noise


def _predict(unet: Component, x_t: Array, conditions: Array, t: int, tokens: Array | None) -> Array:
    inputs: dict[str, NDArray[np.generic]] = {
        "sample": np.concatenate([x_t, conditions], axis=1),
        "timestep": np.array([t], dtype=np.int64),
    }
    if tokens is not None:
        inputs["encoder_hidden_states"] = tokens
    eps = unet(inputs)["out_sample"]
    if eps.shape != x_t.shape:
        raise ValueError(f"the U-Net answered {eps.shape} to a noisy latent of {x_t.shape}")
    return eps


def _method(name: str) -> Update:
    return METHODS[one_of("sampling method", name, METHODS)]

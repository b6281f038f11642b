"""Gaussian noise that is the same on every backend, because no graph ever draws it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lite_vton.errors import UserError
from lite_vton_runtimes.base import Array

__all__ = ["Noise", "gaussian"]

Noise = Callable[[tuple[int, ...]], Array]


def gaussian(seed: int) -> Noise:
    """A stream of standard normal float32 arrays, filled in C order.

    The stream is `numpy.random.Generator(numpy.random.Philox(seed)).standard_normal(dtype=float32)`. A sampling
    run draws, in this order: one latent for the warm start, then one latent per step for each step that injects
    noise (`ddpm` and `lcm`, all steps but the last). Nothing else draws from it, so a port that repeats this
    order repeats the picture. Raises `UserError` for a negative seed.
    """
    if seed < 0:
        raise UserError(f"seed {seed} is negative: give 0 or a positive whole number")
    generator = np.random.Generator(np.random.Philox(seed))

    def draw(shape: tuple[int, ...]) -> Array:
        return generator.standard_normal(shape, dtype=np.float32)

    return draw

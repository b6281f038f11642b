"""How a picture is sampled."""

from __future__ import annotations

from typing import Annotated

from lite_vton.cli.options.declaring import LARGEST_SEED, grouped

__all__ = ["Detail", "Sampler", "Seed", "Steps"]

_option = grouped("Sampling")

Steps = Annotated[int | None, _option("--steps", help="Sampling steps; default: the model's own.")]
Sampler = Annotated[
    str | None,
    _option("--sampler", names="sampler", help="ddpm, ddim, euler, dpmsolver++ or lcm; default: the model's own."),
]
Seed = Annotated[
    int,
    _option(
        "--seed",
        min=0,
        max=LARGEST_SEED,
        help="Random seed of the sampling noise: same seed, same picture, any backend.",
    ),
]
Detail = Annotated[
    bool, _option("--detail/--no-detail", help="Carry stripes and letters over from the warped garment.")
]

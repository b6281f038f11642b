"""The noise schedule as numbers, and as the `scheduler_config.json` that diffusers reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton.presets.config import NoiseSchedule

__all__ = ["alpha_bar", "betas", "read_scheduler_config", "scheduler_config", "timesteps"]


def betas(schedule: NoiseSchedule) -> NDArray[np.float64]:
    """(T,) variances added from each timestep to the next: squares of a line between the roots of both ends."""
    ends = np.sqrt([schedule.beta_start, schedule.beta_end])
    return np.asarray(np.linspace(ends[0], ends[1], schedule.num_train_timesteps) ** 2, dtype=np.float64)


def alpha_bar(schedule: NoiseSchedule) -> NDArray[np.float64]:
    """(T,) share of the signal's variance left at each timestep, falling (DDPM, arXiv:2006.11239, eq. 4)."""
    return np.asarray(np.cumprod(1.0 - betas(schedule)), dtype=np.float64)


def timesteps(schedule: NoiseSchedule, steps: int) -> NDArray[np.int64]:
    """(steps,) timesteps from T - 1 down, evenly spaced: "trailing" of arXiv:2305.08891, table 2, as in diffusers.

    Raises `UserError` unless 1 <= steps <= T.
    """
    total = schedule.num_train_timesteps
    if not 1 <= steps <= total:
        raise UserError(f"cannot sample in {steps} steps: choose from 1 to {total}")
    return np.asarray(np.round(total - np.arange(steps) * (total / steps)) - 1, dtype=np.int64)


# What the one loop assumes. diffusers schedulers ignore the keys that belong to others, so one file serves all five.
_ASSUMED: dict[str, Any] = {
    "beta_schedule": "scaled_linear",
    "trained_betas": None,
    "prediction_type": "epsilon",
    "timestep_spacing": "trailing",
    "steps_offset": 0,
    "clip_sample": False,
    "thresholding": False,
    "set_alpha_to_one": True,
    "rescale_betas_zero_snr": False,
    "variance_type": "fixed_small",
    "interpolation_type": "linear",
    "use_karras_sigmas": False,
    "final_sigmas_type": "zero",
    "algorithm_type": "dpmsolver++",
    "solver_order": 2,
    "solver_type": "midpoint",
    "lower_order_final": True,
    "timestep_scaling": 10.0,
}


def scheduler_config(schedule: NoiseSchedule) -> dict[str, Any]:
    """`scheduler_config.json` in diffusers' format: DDIM by name, and right for DDPM, Euler, DPM-Solver++ and LCM too.

    The dictionary is plain JSON data. `original_inference_steps` makes LCM choose the trailing timesteps as well.
    """
    return {
        "_class_name": "DDIMScheduler",
        "_diffusers_version": "0.35.0",
        "num_train_timesteps": schedule.num_train_timesteps,
        "beta_start": schedule.beta_start,
        "beta_end": schedule.beta_end,
        "original_inference_steps": schedule.num_train_timesteps,
        **_ASSUMED,
    }


def read_scheduler_config(config: Mapping[str, Any]) -> NoiseSchedule:
    """The schedule a `scheduler_config.json` describes.

    Raises `UserError` if a key is missing or asks for something the sampler does not do, rather than sample wrongly.
    Keys diffusers may leave out are taken to be as `scheduler_config` writes them, except where diffusers' own
    default differs and would change the result.
    """
    for key in ("num_train_timesteps", "beta_start", "beta_end", *_REQUIRED):
        if key not in config:
            raise UserError(f"scheduler_config.json has no {key!r}: write it with lite-vton export")
    for key, assumed in _ASSUMED.items():
        if config.get(key, assumed) != assumed:
            raise UserError(f"scheduler_config.json has {key} = {config[key]!r}: only {assumed!r} can be sampled")
    total, start, end = config["num_train_timesteps"], config["beta_start"], config["beta_end"]
    if not (isinstance(total, int) and total > 0 and 0 < start <= end < 1):
        raise UserError(
            f"scheduler_config.json has num_train_timesteps {total}, betas {start} to {end}: "
            "expected a positive count and 0 < beta_start <= beta_end < 1"
        )
    return NoiseSchedule(total, float(start), float(end))


# Here a missing key would mean diffusers' default, which is not ours: linear betas, leading timesteps, clipping.
_REQUIRED = ("beta_schedule", "timestep_spacing", "clip_sample")

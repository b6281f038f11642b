"""What noise somebody's network was trained on, by its scheduler's settings, next to ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lite_vton.errors import UserError
from lite_vton.presets.config import NoiseSchedule

__all__ = ["check_noise"]

_STABLE_DIFFUSION = NoiseSchedule(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012)
"""The noise of Stable Diffusion 1; a preset's own is the first part of it."""

_FIXED: Mapping[str, tuple[object, ...]] = {
    "beta_schedule": ("scaled_linear",),
    "prediction_type": ("epsilon",),
    "rescale_betas_zero_snr": (False,),
    "trained_betas": (None,),
    "variance_type": (None, "fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log"),
    "thresholding": (False,),
    # What follows says how its authors sample and not what the network learnt: we sample in our own way. A value that
    # no scheduler has is a sign of another file.
    "timestep_spacing": ("leading", "linspace", "trailing"),
    "steps_offset": (0, 1),
}
"""What a setting may be; silence is the first."""

_OTHER_NOISE = ("FlowMatch", "EDM", "CMStochastic", "VQ", "Score")
"""What the names of diffusers' schedulers begin with that noise otherwise, or whose networks answer otherwise."""


def check_noise(settings: Mapping[str, object], file: Path, ours: NoiseSchedule) -> None:
    """`UserError` unless a network trained with a scheduler of these settings saw Stable Diffusion's noise, or `ours`.

    `file` is where the settings are from.
    """
    kind = str(settings.get("_class_name", ""))
    if kind.startswith(_OTHER_NOISE):
        raise UserError(f"{file} has other noise ({kind[:60]}), which no preset has: choose another source")
    for name, allowed in _FIXED.items():
        said = settings.get(name, allowed[0])
        if not any(type(said) is type(value) and said == value for value in allowed):
            raise UserError(
                f"{file} has other noise (it says {name} is {str(said)[:60]}, the preset has {allowed[0]}): "
                "choose another preset or source"
            )
    wanted = ("num_train_timesteps", "beta_start", "beta_end")
    if not any(
        all(_is_near(settings.get(name, getattr(noise, name)), getattr(noise, name)) for name in wanted)
        for noise in (_STABLE_DIFFUSION, ours)
    ):
        said = ", ".join(f"{name} {str(settings[name])[:20]}" for name in wanted if name in settings)
        raise UserError(
            f"{file} has other noise ({said}) than Stable Diffusion and the preset: choose a source with the same"
        )


def _is_near(said: object, value: float) -> bool:
    return isinstance(said, int | float) and not isinstance(said, bool) and abs(said - value) < 1e-9

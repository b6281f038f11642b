"""What was asked of the sampler, held against what it can, before anything slow."""

from __future__ import annotations

from lite_vton.messages.choices import one_of
from lite_vton.presets.config import NoiseSchedule

__all__ = ["check_sampling"]


def check_sampling(schedule: NoiseSchedule, sampler: str | None, steps: int | None) -> None:
    """A `UserError` for a sampler or a number of steps that sampling would refuse later; None is the model's own."""
    from lite_vton_runtimes.sampling.methods import METHODS
    from lite_vton_runtimes.sampling.schedule import timesteps

    if sampler is not None:
        one_of("sampler", sampler, METHODS)
    if steps is not None:
        timesteps(schedule, steps)

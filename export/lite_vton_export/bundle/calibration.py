"""What integer precisions are calibrated on: the inputs every component gets along real sampling trajectories.

Activations are quantised to the ranges seen here, so they have to be those of try-ons: noise in place of latents, or
one timestep instead of all of them, gives ranges that the sampler never meets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton.model.components import component_tensors, wrapped
from lite_vton.model.networks import Networks
from lite_vton.presets.config import ModelConfig
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton_export.parity.golden import Trajectory, record_trajectory
from lite_vton_runtimes.torch.runtime import TorchRuntime

__all__ = ["Feeds", "check_people", "record_calibration", "record_in_torch"]

Feeds = Mapping[str, NDArray[Any]]
"""The inputs of one call, by tensor name."""


def record_calibration(
    networks: Networks,
    people: Sequence[TryOnInputs],
    *,
    steps: int,
    seed: int,
    on_progress: Callable[[str], None] | None = None,
) -> dict[str, tuple[Feeds, ...]]:
    """Dress everybody in torch float32, `steps` steps each, and give the inputs of every call by component.

    Person i starts from noise `seed + i`. Raises `UserError` as `check_people`, and as sampling does.
    """
    config = networks.config
    check_people(people, config)
    recorded: dict[str, list[Feeds]] = {name: [] for name in config.components}
    for number, person in enumerate(people):
        if on_progress is not None:
            on_progress(f"calibration {number + 1} of {len(people)}")
        for call in record_in_torch(networks, person, steps=steps, seed=seed + number).calls:
            recorded[call.component].append(call.inputs)
    return {name: tuple(calls) for name, calls in recorded.items()}


def record_in_torch(networks: Networks, person: TryOnInputs, *, steps: int, seed: int) -> Trajectory:
    """One try-on in torch float32 by the model's own sampler, with every call of every component."""
    config = networks.config
    runtime = TorchRuntime(wrapped(networks), component_tensors(config))
    return record_trajectory(runtime, person, config, networks.latent_scale, steps=steps, seed=seed)


def check_people(people: Sequence[TryOnInputs], config: ModelConfig) -> None:
    """A `UserError` for a set that is empty, or was prepared for a model of another size or with other inputs."""
    if not people:
        raise UserError("the calibration set is empty: give a folder with at least one pair, or leave it out")
    channels = {"person": 3, "mask": 1, "masked_person": 3, "pose": 3}
    wanted = {name: (1, count, config.height, config.width) for name, count in channels.items()}
    if config.image_encoder is not None:
        side = config.image_encoder.image_size
        wanted["garment"] = (1, 3, side, side)
    for number, person in enumerate(people):
        for name, shape in wanted.items():
            given = getattr(person, name)
            found = None if given is None else given.shape
            if found != shape:
                raise UserError(
                    f"calibration person {number}: {name} is {found or 'missing'}, {config.name} takes {shape}: "
                    "prepare the set for this model"
                )
            if not np.isfinite(given).all():
                raise UserError(f"calibration person {number}: {name} holds NaN or infinity: prepare the set again")

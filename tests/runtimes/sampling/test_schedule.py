from __future__ import annotations

import json
from typing import Any

import diffusers
import numpy as np
import pytest

from lite_vton.errors import UserError
from lite_vton.presets.config import NoiseSchedule
from lite_vton_runtimes.sampling.schedule import alpha_bar, betas, read_scheduler_config, scheduler_config, timesteps

SCHEDULES = [NoiseSchedule(), NoiseSchedule(1000, 0.00085, 0.012), NoiseSchedule(50, 0.001, 0.02)]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_tables_are_those_of_diffusers(schedule: NoiseSchedule) -> None:
    reference = diffusers.DDIMScheduler.from_config(scheduler_config(schedule))
    np.testing.assert_allclose(betas(schedule), reference.betas.numpy(), rtol=1e-5)
    np.testing.assert_allclose(alpha_bar(schedule), reference.alphas_cumprod.numpy(), rtol=1e-4)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_timesteps_are_diffusers_trailing_ones(schedule: NoiseSchedule) -> None:
    reference = diffusers.DDIMScheduler.from_config(scheduler_config(schedule))
    for steps in (1, 2, 4, 5, 7, 8, 13, 20, 50):
        reference.set_timesteps(steps)
        assert timesteps(schedule, steps).tolist() == reference.timesteps[:steps].tolist()


def test_the_cut_schedule_is_the_start_of_stable_diffusions() -> None:
    whole = NoiseSchedule(1000, 0.00085, 0.012)
    np.testing.assert_allclose(alpha_bar(NoiseSchedule()), alpha_bar(whole)[:600], rtol=1e-5)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_step_count_gives_that_many_falling_timesteps(schedule: NoiseSchedule) -> None:
    total = schedule.num_train_timesteps
    for steps in range(1, min(total, 120) + 1):
        levels = timesteps(schedule, steps)
        assert len(levels) == steps
        assert levels[0] == total - 1
        assert levels[-1] >= 0
        assert (np.diff(levels) < 0).all()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_config_survives_json(schedule: NoiseSchedule) -> None:
    assert read_scheduler_config(json.loads(json.dumps(scheduler_config(schedule)))) == schedule


@pytest.mark.parametrize(
    "name",
    ["DDPMScheduler", "DDIMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler", "LCMScheduler"],
)
def test_a_config_saved_by_diffusers_is_read_back(name: str, tmp_path: Any) -> None:
    getattr(diffusers, name).from_config(scheduler_config(NoiseSchedule())).save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "scheduler_config.json").read_text())
    assert saved["_class_name"] == name
    assert read_scheduler_config(saved | {"clip_sample": False}) == NoiseSchedule()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prediction_type": "v_prediction"}, "only 'epsilon'"),
        ({"timestep_spacing": "leading"}, "only 'trailing'"),
        ({"clip_sample": True}, "only False"),
        ({"beta_end": 1.5}, "beta_end < 1"),
        ({"num_train_timesteps": 0}, "positive count"),
    ],
)
def test_a_config_we_would_sample_wrongly_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_scheduler_config(scheduler_config(NoiseSchedule()) | change)


def test_a_config_without_its_betas_is_refused() -> None:
    config = scheduler_config(NoiseSchedule())
    del config["beta_schedule"]
    with pytest.raises(UserError, match="no 'beta_schedule'"):
        read_scheduler_config(config)

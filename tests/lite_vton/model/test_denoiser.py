"""Whatever a network's output means, the sampler gets epsilon."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from lite_vton.model.denoiser import Denoiser, alpha_bars
from lite_vton.presets.config import ModelConfig
from lite_vton.presets.table import preset

TINY = preset("tiny")
DEVIATION = TINY.unet.residual_deviation or 0.0
TIMESTEPS = torch.tensor([0, 1, 74, 300, 599])


class Answer(nn.Module):
    """A U-Net that has been told what to say."""

    def __init__(self, said: torch.Tensor) -> None:
        super().__init__()
        self.said = said

    def forward(self, *_: object, **__: object) -> tuple[torch.Tensor]:
        return (self.said,)


def noised(seed: int = 0) -> tuple[torch.Tensor, ...]:
    """(x_0, c, eps, x_t, sample, alpha_bar), one row for each of TIMESTEPS."""
    generator = torch.Generator().manual_seed(seed)
    shape = (len(TIMESTEPS), *TINY.latent_shape[1:])
    c, eps, pose, residual = (torch.randn(shape, generator=generator) for _ in range(4))
    x_0 = c + DEVIATION * residual
    abar = alpha_bars(TINY.schedule)[TIMESTEPS].view(-1, 1, 1, 1)
    x_t = abar.sqrt() * x_0 + (1 - abar).sqrt() * eps
    sample = torch.cat([x_t, torch.ones_like(c[:, :1]), c, pose], dim=1)
    return x_0, c, eps, x_t, sample, abar


def test_silence_means_the_posterior_mean_between_the_sample_and_the_pasted_warp() -> None:
    x_0, c, _, x_t, sample, abar = noised()
    eps = Denoiser(TINY, Answer(torch.zeros_like(x_0)))(sample, TIMESTEPS)
    found = (x_t - (1 - abar).sqrt() * eps) / abar.sqrt()
    sigma = (1 - abar) / abar
    trust = DEVIATION**2 / (DEVIATION**2 + sigma)
    assert torch.allclose(found, c + trust * (x_t / abar.sqrt() - c), atol=2e-4)


def test_what_is_to_be_learnt_has_unit_deviation_at_every_timestep() -> None:
    _, _, eps, x_t, sample, _ = noised()
    silent = Denoiser(TINY, Answer(torch.zeros_like(x_t)))(sample, TIMESTEPS)
    gain = silent - Denoiser(TINY, Answer(torch.ones_like(x_t)))(sample, TIMESTEPS)
    wanted = (silent - eps) / gain
    assert torch.allclose(wanted.std(dim=(1, 2, 3)), torch.ones(len(TIMESTEPS)), atol=0.15)


def test_the_right_answer_gives_the_very_noise() -> None:
    _, _, eps, x_t, sample, _ = noised()
    silent = Denoiser(TINY, Answer(torch.zeros_like(x_t)))(sample, TIMESTEPS)
    gain = silent - Denoiser(TINY, Answer(torch.ones_like(x_t)))(sample, TIMESTEPS)
    assert torch.allclose(Denoiser(TINY, Answer((silent - eps) / gain))(sample, TIMESTEPS), eps, atol=1e-5)


def test_a_network_that_predicts_epsilon_is_taken_at_its_word() -> None:
    plain: ModelConfig = replace(TINY, unet=replace(TINY.unet, residual_deviation=None))
    _, _, eps, _, sample, _ = noised()
    assert torch.equal(Denoiser(plain, Answer(eps))(sample, TIMESTEPS), eps)


def test_weights_keep_diffusers_names() -> None:
    """The factors are no weights: a checkpoint of the U-Net alone must load as it is."""
    keys = Denoiser(TINY, nn.Linear(2, 2)).state_dict().keys()
    assert set(keys) == {"unet.weight", "unet.bias"}


@pytest.mark.parametrize("name", ["noisy_latent", "mask", "masked_person", "pose"])
def test_conditions_lie_where_the_layout_says(name: str) -> None:
    assert TINY.channels_of(name) == {
        "noisy_latent": slice(0, 4), "mask": slice(4, 5), "masked_person": slice(5, 9), "pose": slice(9, 13),
    }[name]  # fmt: skip

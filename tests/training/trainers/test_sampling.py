"""Samples follow the network, whatever the batch they are drawn in, and the seed alone."""

from __future__ import annotations

import torch
from torch import nn

from lite_vton.model.denoiser import Denoiser, alpha_bars
from lite_vton.model.networks import random_networks
from lite_vton.presets.table import preset
from lite_vton_training.dataset.latents import LatentPairs
from lite_vton_training.trainers.sampling import sample_latents

TINY = preset("tiny")


def random_pairs(count: int) -> LatentPairs:
    torch.manual_seed(0)
    shape = (count, *TINY.latent_shape[1:])
    return LatentPairs(torch.randn(shape), torch.ones(count, 1, *shape[2:]), torch.randn(shape), torch.randn(shape))


class Knowing(nn.Module):
    """Says the very noise that leads to the truth."""

    def __init__(self, x_0: torch.Tensor, alpha_bar: torch.Tensor) -> None:
        super().__init__()
        self.x_0, self.alpha_bar = nn.Parameter(x_0), alpha_bar

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, _tokens: None = None) -> torch.Tensor:
        abar = self.alpha_bar[timestep].view(-1, 1, 1, 1)
        eps: torch.Tensor = (sample[:, :4] - abar.sqrt() * self.x_0) / (1 - abar).sqrt()
        return eps


def test_a_network_that_knows_the_truth_samples_it() -> None:
    pairs = random_pairs(2)
    knowing = Knowing(pairs.x_0, alpha_bars(TINY.schedule))
    assert torch.allclose(sample_latents(TINY, knowing, pairs), pairs.x_0, atol=0.1)


def test_a_sample_does_not_depend_on_the_batch_it_is_drawn_in() -> None:
    denoiser = Denoiser(TINY, random_networks(TINY).unet).eval()
    pairs = random_pairs(5)
    whole, cut = (sample_latents(TINY, denoiser, pairs, seed=3, batch_size=size) for size in (5, 2))
    assert torch.allclose(whole, cut, atol=1e-5)


def test_another_seed_gives_another_sample() -> None:
    denoiser = Denoiser(TINY, random_networks(TINY).unet).eval()
    pairs = random_pairs(2)
    first, second = (sample_latents(TINY, denoiser, pairs, seed=seed) for seed in (0, 1))
    assert not torch.allclose(first, second, atol=1e-3)

"""The pictures of a run show its pairs, and do not disturb it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lite_vton.model.networks import random_networks
from lite_vton.presets.table import preset
from lite_vton_training.dataset.latents import LatentPairs
from lite_vton_training.loop.fit import LoopConfig
from lite_vton_training.trainers.denoiser import train_denoiser
from lite_vton_training.trainers.sample_grid import SampleGrid

TINY = preset("tiny")
LOOP = LoopConfig(steps=4, batch_size=2, learning_rate=1e-3, warmup_steps=1)


def random_pairs(count: int) -> LatentPairs:
    torch.manual_seed(0)
    shape = (count, *TINY.latent_shape[1:])
    return LatentPairs(torch.randn(shape), torch.ones(count, 1, *shape[2:]), torch.randn(shape), torch.randn(shape))


def grid(folder: Path) -> SampleGrid:
    networks = random_networks(TINY)
    return SampleGrid(TINY, random_pairs(2), networks.autoencoder, 1.0, folder, every=2)


@pytest.mark.slow
def test_pictures_are_written_and_the_weights_are_those_without_them(tmp_path: Path) -> None:
    pairs = random_pairs(4)
    watched = train_denoiser(TINY, pairs, LOOP, tmp_path / "a", observers=[grid(tmp_path / "pictures")])
    alone = train_denoiser(TINY, pairs, LOOP, tmp_path / "b")
    for a, b in zip(watched.parameters(), alone.parameters(), strict=True):
        assert torch.equal(a, b)
    files = sorted((tmp_path / "pictures").iterdir())
    assert [file.name for file in files] == ["step-000002.png", "step-000004.png"]
    first, second = (np.asarray(Image.open(file)) for file in files)
    assert first.shape == (2 * TINY.height, 3 * TINY.width, 3)
    assert not np.array_equal(first, second)
    truth, given = slice(2 * TINY.width, None), slice(0, TINY.width)
    assert np.array_equal(first[:, truth], second[:, truth])
    assert np.array_equal(first[:, given], second[:, given])

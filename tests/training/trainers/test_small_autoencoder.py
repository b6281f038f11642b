"""A small autoencoder learns the latents of a large one, can be stopped and gone on with, and runs in its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lite_vton.errors import UserError
from lite_vton.model.networks import load_autoencoder, random_networks, save_autoencoder
from lite_vton.presets.autoencoders import autoencoder_kind, with_autoencoder
from lite_vton.presets.table import preset
from lite_vton.workflows.train.autoencoder import chosen
from lite_vton_training.loop.fit import LoopConfig
from lite_vton_training.trainers.small_autoencoder import agreement, distil_autoencoder

LARGE = random_networks(preset("tiny-kl"))
SMALL = with_autoencoder(preset("tiny-kl"), "tiny")
LOOP = LoopConfig(steps=40, batch_size=4, learning_rate=1e-3, warmup_steps=2, checkpoint_every=10, ema_decay=0.9)


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    """Blots. Eight are learnt and judged by: from so few nothing is to be expected of others."""
    coarse = np.random.default_rng(0).integers(0, 256, (12, 8, 6, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((1, 8, 8, 1), np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("distilled")


@pytest.mark.slow
def test_its_latents_come_nearer_and_it_runs_in_the_large_ones_place(pictures: NDArray[np.uint8], folder: Path) -> None:
    scale = LARGE.latent_scale
    found = []
    for steps in (0, LOOP.steps):
        loop = replace(LOOP, steps=steps)
        small = distil_autoencoder(SMALL, LARGE.autoencoder, scale, pictures[:8], loop, folder / str(steps))
        found.append(agreement(LARGE.autoencoder, small, pictures[:8]))
    assert found[1].latent_error < found[0].latent_error
    assert found[1].small_decoder_db > found[0].small_decoder_db
    file = folder / "autoencoder.safetensors"
    save_autoencoder(SMALL, small, scale, file)
    assert autoencoder_kind(chosen(preset("tiny-kl"), str(file))) == "tiny"
    loaded, kept = load_autoencoder(SMALL, file)
    assert kept == scale
    assert agreement(LARGE.autoencoder, loaded, pictures[:8]) == found[1]


@pytest.mark.slow
def test_one_that_was_stopped_ends_with_the_same_weights(pictures: NDArray[np.uint8], tmp_path: Path) -> None:
    def stop(step: int, _terms: dict[str, float]) -> None:
        if step == 25:
            raise KeyboardInterrupt

    given = (SMALL, LARGE.autoencoder, LARGE.latent_scale, pictures[:8], LOOP)
    whole = distil_autoencoder(*given, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        distil_autoencoder(*given, tmp_path / "stopped", on_step=stop)
    again = distil_autoencoder(*given, tmp_path / "stopped", resume=True)
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_what_cannot_be_distilled_is_refused(pictures: NDArray[np.uint8], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no small autoencoder"):
        distil_autoencoder(preset("tiny-kl"), LARGE.autoencoder, 0.18215, pictures, LOOP, tmp_path)
    with pytest.raises(UserError, match=r"scaled by 0\.5, tiny-kl by 0\.18215"):
        distil_autoencoder(SMALL, LARGE.autoencoder, 0.5, pictures, LOOP, tmp_path)

"""Tuning leaves the encoder alone, and brings the decoder nearer to the photographs behind the samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from lite_vton.model.denoiser import Denoiser
from lite_vton.model.networks import random_networks
from lite_vton.presets import preset
from training.autoencoder import train_autoencoder
from training.decoder import tune_decoder
from training.latents import encode_pairs, to_tensor
from training.loop import LoopConfig
from training.pictures import PicturePairs
from training.sampling import sample_latents

TINY = preset("tiny")
LOOP = LoopConfig(steps=20, batch_size=4, learning_rate=1e-3, warmup_steps=2, ema_decay=0.0)


def smooth_pictures(count: int) -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (count, TINY.height // 8, TINY.width // 8, 3), np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


def test_the_decoder_learns_what_samples_stand_for_and_the_encoder_stays(tmp_path: Path) -> None:
    person = smooth_pictures(8)
    mask = np.ones((8, TINY.height, TINY.width), np.uint8)
    pictures = PicturePairs(person, person[::-1].copy(), np.zeros_like(person), mask)
    autoencoder, scale = train_autoencoder(TINY, list(person), LOOP, tmp_path / "autoencoder")
    pairs = encode_pairs(pictures, autoencoder, scale)
    denoiser = Denoiser(TINY, random_networks(TINY).unet).eval()
    samples = sample_latents(TINY, denoiser, pairs, seed=LOOP.seed) / scale
    before = {name: tensor.clone() for name, tensor in autoencoder.state_dict().items()}
    wrong = _distance(autoencoder.decode, samples, person)

    tune_decoder(TINY, autoencoder, scale, denoiser, pictures, pairs, replace(LOOP, steps=60), tmp_path / "decoder")

    after = autoencoder.state_dict()
    changed = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert changed
    assert all(name.startswith(("network.decoder.", "to_picture.")) for name in changed)
    assert all(parameter.requires_grad for parameter in autoencoder.parameters())
    assert _distance(autoencoder.decode, samples, person) < 0.9 * wrong


@torch.no_grad()
def _distance(decode: torch.nn.Module, samples: torch.Tensor, person: np.ndarray) -> float:
    return float((decode(samples) - to_tensor(person)).abs().mean())

"""Networks widened to more latent channels answer as before, and what is new begins with what was lost."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel

from lite_vton.data.synthetic import synthesize
from lite_vton.data.viton_hd import VitonHD
from lite_vton.model.autoencoder_tiny import TinyAutoencoder
from lite_vton.model.denoiser import Denoiser
from lite_vton.model.networks import random_networks
from lite_vton.presets import AutoencoderTinyConfig, preset
from training.autoencoder import principal_tiles
from training.latents import to_tensor
from training.pictures import read_pictures
from training.widening import widened_autoencoder, widened_unet, with_latent_channels

NARROW = with_latent_channels(preset("tiny"), 3)
WIDE = with_latent_channels(preset("tiny"), 5)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    root = synthesize(tmp_path_factory.mktemp("drawn") / "data", 6, seed=3, height=96, width=72, test_share=0.0)
    return read_pictures(VitonHD(root, "train", height=64, width=48)).person


def test_a_wider_autoencoder_has_the_old_latents_and_loses_less(pictures: np.ndarray) -> None:
    assert isinstance(NARROW.autoencoder, AutoencoderTinyConfig)
    assert isinstance(WIDE.autoencoder, AutoencoderTinyConfig)
    narrow = random_networks(NARROW).autoencoder
    assert isinstance(narrow, TinyAutoencoder)
    narrow.start_linear(*principal_tiles(pictures, NARROW.autoencoder.downscale, 3))
    wide = widened_autoencoder(narrow, WIDE.autoencoder, pictures)
    seen = to_tensor(pictures)
    with torch.no_grad():
        assert torch.allclose(wide.encode(seen)[:, :3], narrow.encode(seen), atol=1e-6)
        lost, less = (float((each.decode(each.encode(seen)) - seen).square().mean()) for each in (narrow, wide))
    assert less < 0.8 * lost


@torch.no_grad()
def test_a_wider_unet_says_the_same_of_the_old_channels_and_leaves_the_warp_in_the_new() -> None:
    unet = random_networks(NARROW).unet
    assert isinstance(unet, UNet2DConditionModel)
    wide = Denoiser(WIDE, widened_unet(unet, NARROW, WIDE))
    generator = torch.Generator().manual_seed(0)
    sample = torch.randn((2, WIDE.unet_in_channels, 8, 6), generator=generator)
    old = [WIDE.channels_of(name).start + i for name, count in NARROW.conditions for i in range(count)]
    timestep = torch.tensor([599, 40])
    said = wide(sample, timestep)
    assert torch.allclose(said[:, :3], Denoiser(NARROW, unet)(sample[:, old], timestep), atol=1e-5)
    assert torch.equal(wide.unet(sample, timestep, None)[0][:, 3:], torch.zeros(2, 2, 8, 6))


def test_of_equal_channels_all_weights_are_equal(pictures: np.ndarray) -> None:
    networks = random_networks(NARROW)
    assert isinstance(networks.autoencoder, TinyAutoencoder)
    assert isinstance(networks.unet, UNet2DConditionModel)
    assert isinstance(NARROW.autoencoder, AutoencoderTinyConfig)
    for same, module in (
        (widened_autoencoder(networks.autoencoder, NARROW.autoencoder, pictures), networks.autoencoder),
        (widened_unet(networks.unet, NARROW, NARROW), networks.unet),
    ):
        for name, weight in module.state_dict().items():
            assert torch.equal(same.state_dict()[name], weight), name

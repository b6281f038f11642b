"""A latent decoded in tiles: what is painted of the whole, exactly if the decoder looks no further than the overlap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from lite_vton import TryOn
from lite_vton.errors import UserError
from lite_vton.model.networks import build_autoencoder, random_networks
from lite_vton.presets.config import ModelConfig
from lite_vton.presets.table import preset
from lite_vton.tryon.inputs import TryOnInputs
from lite_vton.workflows.export import tile_of
from lite_vton_export.bundle.export import export_bundle
from lite_vton_export.verify.run import verify
from lite_vton_runtimes.base import Array
from lite_vton_runtimes.sampling.tiles import decoded_in_tiles

pytestmark = pytest.mark.slow


def decoders(name: str) -> tuple[torch.nn.Module, int]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_autoencoder(preset(name).autoencoder).eval(), preset(name).autoencoder.downscale


def painted(module: torch.nn.Module, latent: Array) -> Array:
    with torch.no_grad():
        picture: Array = module.decode(torch.from_numpy(latent)).numpy()  # type: ignore[operator]
    return picture


@pytest.mark.parametrize("tile", [(28, 26), (40, 30)])
def test_a_small_decoder_paints_in_tiles_what_it_paints_at_once(tile: tuple[int, int]) -> None:
    module, _ = decoders("tiny")
    latent = np.random.default_rng(0).standard_normal((1, 4, 56, 44), dtype=np.float32)
    tiled = decoded_in_tiles(lambda part: painted(module, part), latent, tile, overlap=24)  # it looks 7 positions far
    np.testing.assert_allclose(tiled, painted(module, latent), atol=1e-5)


def test_a_decoder_that_looks_at_everything_paints_nearly_the_same_and_without_seams() -> None:
    module, scale = decoders("tiny-kl")
    latent = np.random.default_rng(0).standard_normal((1, 4, 40, 32), dtype=np.float32)
    whole = painted(module, latent)
    tiled = decoded_in_tiles(lambda part: painted(module, part), latent, (26, 20))
    assert 20 * np.log10(np.ptp(whole) / np.sqrt(np.square(tiled - whole).mean())) > 25
    steps = [np.abs(np.diff(picture, axis=2)).mean(axis=(0, 1, 3)).max() for picture in (tiled, whole)]
    assert steps[0] < 1.5 * steps[1], "an edge where tiles meet"
    assert tiled.shape[2] == 40 * scale


def test_tiles_that_do_not_cover_are_refused() -> None:
    with pytest.raises(ValueError, match="do not cover"):
        decoded_in_tiles(lambda part: part, np.zeros((1, 4, 8, 8), np.float32), (12, 8))


def test_what_is_no_tile_is_refused() -> None:
    config = preset("litemp-vton")
    assert tile_of("256,192", config) == (32, 24)
    assert tile_of("512,384", config) is None
    for words in ("256", "256,x", "250,192", "64,192", "1024,192"):
        with pytest.raises(UserError, match="tile"):
            tile_of(words, config)


@pytest.mark.slow
def test_a_bundle_whose_decoder_takes_tiles_verifies_and_dresses(tmp_path_factory: pytest.TempPathFactory) -> None:
    config: ModelConfig = replace(preset("tiny"), height=128, width=128, decoder_tile=(14, 16))
    random = np.random.default_rng(0)
    mask = np.zeros((128, 128), np.float32)
    mask[32:96, 32:96] = 1
    person, garment, pose = (random.integers(0, 256, (128, 128, 3), dtype=np.uint8) for _ in range(3))
    inputs = TryOnInputs.compose(person, mask, garment, mask, pose)
    target = tmp_path_factory.mktemp("tiles") / "bundle"
    bundle = export_bundle(random_networks(config), inputs, target, precisions=("fp32",), steps=1)
    assert verify(bundle, write=False).exit_code == 0
    assert bundle.manifest.components["vae_decoder"].inputs[0].shape == (1, 4, 14, 16)
    with TryOn(bundle) as model:
        assert model(inputs, steps=1).decoded.shape == (1, 3, 128, 128)

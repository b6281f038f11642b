"""A preset's autoencoder is a switch: the latents keep their shape and scale, and weights say which they are of."""

from __future__ import annotations

import pytest

from lite_vton.errors import UserError
from lite_vton.presets.autoencoders import KINDS, autoencoder_kind, with_autoencoder
from lite_vton.presets.conditioning import COMPONENTS_OF_PAPER, from_metadata, to_metadata
from lite_vton.presets.table import AUTOENCODERS, PRESETS, preset


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_every_kind_has_the_same_latents_so_that_the_unet_fits_either(name: str) -> None:
    kinds = [with_autoencoder(preset(name), kind) for kind in KINDS]
    assert [autoencoder_kind(config) for config in kinds] == list(KINDS)
    assert len({config.latent_shape for config in kinds}) == 1
    assert len({config.autoencoder.latent_scale for config in kinds}) == 1
    assert len({config.unet for config in kinds}) == 1


@pytest.mark.parametrize("name", PRESETS)
def test_the_presets_own_kind_leaves_it_as_it_is(name: str) -> None:
    config = PRESETS[name]
    assert with_autoencoder(config, autoencoder_kind(config)) is config


def test_weights_remember_another_autoencoder_beside_their_conditions() -> None:
    small = with_autoencoder(preset("tiny-kl"), "tiny")
    assert to_metadata(small) == {"autoencoder": "tiny"}
    assert from_metadata(preset("tiny-kl"), to_metadata(small)) == small
    blind = COMPONENTS_OF_PAPER["A"].applied_to(small)
    assert from_metadata(preset("tiny-kl"), to_metadata(blind)) == blind
    assert with_autoencoder(small, "kl") == preset("tiny-kl")


def test_a_kind_that_is_unknown_or_not_the_presets_is_refused() -> None:
    with pytest.raises(UserError, match="unknown autoencoder 'tinny': did you mean 'tiny'"):
        with_autoencoder(preset("litemp-vton"), "tinny")
    with pytest.raises(UserError, match="demo has its tiny autoencoder and no other"):
        with_autoencoder(preset("demo"), "kl")


def test_a_small_encoder_takes_all_pictures_at_once_and_a_large_one_each() -> None:
    assert with_autoencoder(preset("litemp-vton"), "tiny").encoder_batch == 2
    assert COMPONENTS_OF_PAPER["A"].applied_to(with_autoencoder(preset("teacher"), "tiny")).encoder_batch == 1
    assert preset("litemp-vton").encoder_batch == 1
    assert preset("demo").encoder_batch == 2

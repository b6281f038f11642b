"""The paper's components are switches: of a preset, and of what a run's weights say about themselves."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from lite_vton.errors import UserError
from lite_vton.presets.conditioning import COMPONENTS_OF_PAPER, Conditioning, as_mask, from_metadata, to_metadata
from lite_vton.presets.table import PRESETS, preset

DEMO = preset("demo")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_with_its_own_switches_is_itself(name: str) -> None:
    config = PRESETS[name]
    assert Conditioning.of(config).applied_to(config) is config
    assert to_metadata(config) == {}
    assert from_metadata(config, {"preset": name}) is config


def test_each_row_of_the_paper_adds_one_component() -> None:
    rows = [COMPONENTS_OF_PAPER[name] for name in ("A", "A+B", "A+B+C", "A+B+C+D")]
    for before, after in pairwise(rows):
        differing = [key for key in vars(before) if getattr(before, key) != getattr(after, key)]
        assert len(differing) == 1
    assert rows[2] == Conditioning.of(preset("teacher"))
    assert rows[3] == Conditioning.of(preset("mp-vton"))


def test_a_model_without_the_pose_has_no_channels_for_it() -> None:
    without = COMPONENTS_OF_PAPER["A+B"].applied_to(DEMO)
    assert without.unet.told == ("mask", "masked_person")
    assert without.unet_in_channels == DEMO.unet_in_channels - DEMO.autoencoder.latent_channels
    assert (without.name, without.mask) == ("demo", "improved")
    assert without.shipped_weights is None, "weights with the pose do not fit it"
    assert COMPONENTS_OF_PAPER["A+B+C"].applied_to(without) == replace(DEMO, shipped_weights=None)


def test_weights_remember_how_their_model_was_conditioned() -> None:
    for row in ("A", "A+B", "A+B+C"):
        config = COMPONENTS_OF_PAPER[row].applied_to(DEMO)
        assert from_metadata(DEMO, to_metadata(config)) == config


def test_tokens_are_a_matter_of_the_preset() -> None:
    with pytest.raises(UserError, match="demo has no image encoder: choose the preset with CLIP"):
        COMPONENTS_OF_PAPER["A+B+C+D"].applied_to(DEMO)
    with pytest.raises(UserError, match="mp-vton has an image encoder: choose the preset without CLIP"):
        COMPONENTS_OF_PAPER["A"].applied_to(preset("mp-vton"))


def test_a_misspelt_mask_gets_a_suggestion() -> None:
    assert as_mask("plain") == "plain"
    with pytest.raises(UserError, match="did you mean 'improved'"):
        as_mask("improve")

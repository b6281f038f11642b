"""The tower that stands in for CLIP learns to find garments again, and is saved as transformers reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lite_vton.garment.cutout import CLIP_SIDE
from lite_vton.model.image_encoder import load_image_encoder
from lite_vton.presets.config import ImageEncoderConfig
from lite_vton_training.dataset.pictures import PicturePairs
from lite_vton_training.loop.fit import LoopConfig
from lite_vton_training.reproduce.garment_tower import TowerRecipe, contrast, train_tower, worn_garments

RECIPE = TowerRecipe(
    ImageEncoderConfig(width=32, layers=1, heads=2, patch=56),
    embedding=16,
    loop=LoopConfig(steps=30, batch_size=6, learning_rate=2e-3, warmup_steps=3, ema_decay=0.9, checkpoint_every=30),
)


def coloured_pairs(count: int, seed: int) -> PicturePairs:
    """People in a garment of one colour each, on grey, their garments on white."""
    colours = np.random.default_rng(seed).integers(0, 256, (count, 1, 1, 3), np.uint8)
    person = np.full((count, 64, 48, 3), 128, np.uint8)
    mask = np.zeros((count, 64, 48), np.uint8)
    mask[:, 20:50, 10:40] = 1
    person[:, 20:50, 10:40] = colours
    garment = np.full((count, CLIP_SIDE, CLIP_SIDE, 3), 255, np.uint8)
    garment[:, 40:180, 40:180] = colours
    return PicturePairs(person, person, person, mask, garment)


@pytest.mark.slow
def test_a_tower_finds_unseen_garments_again_and_loads_as_any_clip(tmp_path: Path) -> None:
    share = train_tower(coloured_pairs(32, 0), coloured_pairs(8, 1), RECIPE, tmp_path)
    assert share >= 0.5  # by chance one in eight
    tower = load_image_encoder(RECIPE.shape, tmp_path)
    assert train_tower(coloured_pairs(32, 0), coloured_pairs(8, 1), RECIPE, tmp_path) == share  # resumed at its end
    again = load_image_encoder(RECIPE.shape, tmp_path)
    assert all(torch.equal(tensor, tower.state_dict()[name]) for name, tensor in again.state_dict().items())


def test_the_contrast_is_smallest_where_each_garment_is_most_like_its_own_worn_one() -> None:
    directions, sharpness = torch.eye(4), torch.tensor(3.0)
    same = contrast(directions, directions, sharpness)
    assert same < contrast(directions, directions.roll(1, 0), sharpness)
    assert contrast(torch.ones(4, 1), torch.ones(4, 1), sharpness) == pytest.approx(np.log(4))


def test_a_worn_garment_is_all_that_is_repainted_and_no_more() -> None:
    pairs = coloured_pairs(2, 0)
    worn = worn_garments(pairs)
    assert worn.shape == (2, CLIP_SIDE, CLIP_SIDE, 3)
    assert (worn == pairs.garment[:, 100:101, 100:101]).all()  # the mask is a square here

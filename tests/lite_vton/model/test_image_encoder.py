"""CLIP's image tower: transformers' own answers, and checkpoints as transformers saves them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import CLIPConfig, CLIPModel, CLIPVisionModel

from lite_vton.errors import UserError
from lite_vton.model.image_encoder import (
    CLIP_DEVIATION,
    CLIP_MEAN,
    ImageEncoder,
    build_image_encoder,
    load_image_encoder,
)
from lite_vton.presets.config import ImageEncoderConfig
from lite_vton.presets.table import preset

TINY = preset("tiny-clip").image_encoder or pytest.fail("tiny-clip has an image tower")


@pytest.fixture(scope="module")
def tower() -> CLIPVisionModel:
    torch.manual_seed(0)
    return build_image_encoder(TINY).eval()


def test_tokens_are_clips_with_its_last_normalisation(tower: CLIPVisionModel) -> None:
    picture = torch.rand(2, 3, 224, 224)
    mean, deviation = (torch.tensor(numbers).view(1, 3, 1, 1) for numbers in (CLIP_MEAN, CLIP_DEVIATION))
    with torch.no_grad():
        theirs = tower((picture - mean) / deviation)
        tokens = ImageEncoder(tower)(2 * picture - 1)
        rest = tower.post_layernorm(theirs.last_hidden_state)
    assert tokens.shape == (2, TINY.tokens, TINY.width)
    assert torch.allclose(tokens[:, 0], theirs.pooler_output, atol=1e-5)
    assert torch.allclose(tokens, rest, atol=1e-5)


def test_a_tower_loads_from_the_folder_transformers_saved(tower: CLIPVisionModel, tmp_path: Path) -> None:
    tower.save_pretrained(tmp_path)
    loaded = load_image_encoder(TINY, tmp_path)
    for name, weight in tower.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight)


def test_a_whole_clip_gives_its_tower(tower: CLIPVisionModel, tmp_path: Path) -> None:
    text = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    clip = CLIPModel(CLIPConfig(text_config=text | {"vocab_size": 50}, vision_config=tower.config.to_dict()))
    clip.save_pretrained(tmp_path)
    loaded = load_image_encoder(TINY, tmp_path).eval()
    picture = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        theirs = clip.eval().vision_model(picture).last_hidden_state
        assert torch.allclose(loaded(picture).last_hidden_state, theirs, atol=1e-6)


def test_folders_that_will_not_do_are_named_in_one_line(tower: CLIPVisionModel, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no CLIP checkpoint"):
        load_image_encoder(TINY, tmp_path)
    tower.save_pretrained(tmp_path)
    with pytest.raises(UserError, match="choose another"):
        load_image_encoder(ImageEncoderConfig(width=48, layers=2, heads=2, patch=56), tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(UserError, match="no readable CLIP checkpoint"):
        load_image_encoder(TINY, tmp_path)


def test_weights_that_are_not_there_are_not_made_up(tower: CLIPVisionModel, tmp_path: Path) -> None:
    weights = tower.state_dict()
    del weights["post_layernorm.weight"]
    tower.save_pretrained(tmp_path, state_dict=weights)
    with pytest.raises(UserError, match="lacks"):
        load_image_encoder(TINY, tmp_path)

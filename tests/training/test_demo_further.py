"""Weights are gone on with: networks and decoder change, the encoder where it is to, and a stopped run resumes."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lite_vton.data.synthetic import synthesize
from lite_vton.errors import UserError
from lite_vton.model.networks import Networks, load_networks, random_networks
from lite_vton.presets import preset
from training.bfloat16 import in_bf16
from training.demo_further import FURTHER, Further, Lesson, go_on
from training.loop import LoopConfig
from training.mix.kinds import Amounts
from training.mix.sources import Sources
from training.widening import with_latent_channels

SHORT = LoopConfig(steps=3, batch_size=2, learning_rate=1e-3, warmup_steps=1, checkpoint_every=2)
TINY = Further(
    amounts=Amounts(drawn=4, variants=2, mended=1, seed=5),
    autoencoder=None,
    lessons=(Lesson("tiny", (1,), SHORT), Lesson("tiny", (4, 2), SHORT), Lesson("tiny-teacher", (1,), SHORT)),
    decoder=SHORT,
    decoder_of="tiny",
    decoder_pairs=6,
)


def shipped(latent_channels: int = 4) -> dict[str, Networks]:
    student, teacher = (
        random_networks(with_latent_channels(preset(name), latent_channels)) for name in ("tiny", "tiny-teacher")
    )
    return {"tiny": student, "tiny-teacher": replace(teacher, autoencoder=student.autoencoder)}


def test_both_networks_and_the_decoder_learn_and_the_encoder_stays(tmp_path: Path) -> None:
    photographs = synthesize(tmp_path / "photographs", 3, seed=2, height=96, width=72, test_share=0.0)
    sources = Sources(photographs, photographs / "train/cloth")
    networks = shipped()
    before = {name: deepcopy(each) for name, each in networks.items()}
    run, assets = tmp_path / "run", tmp_path / "assets"
    go_on(run, assets, networks, {"date": "long ago"}, TINY, sources)

    record = json.loads((assets / "recipe.json").read_text())
    assert record["pairs"] == {"photographs": 6, "mended": 3, "drawn": 4}
    assert (record["kept"], record["before"]) == (["encoder"], {"date": "long ago"})
    assert set(record["minutes"]) == {"tiny in 1", "tiny in 4 or 2", "tiny-teacher in 1", "decoder"}
    for name, old in before.items():
        made = load_networks(preset(name), assets / "autoencoder.safetensors", assets / f"{name}.safetensors")
        assert not torch.allclose(made.unet.conv_out.weight, old.unet.conv_out.weight, atol=1e-5)
        picture = torch.rand(1, 3, 64, 48)
        latents = [each.autoencoder.encode(picture) for each in (made, old)]
        assert torch.allclose(*latents, atol=5e-3)
        pictures = [each.autoencoder.decode(latents[1]) for each in (made, old)]
        assert not torch.allclose(*pictures, atol=1e-3)

    weights = load_file(assets / "tiny.safetensors")
    go_on(run, assets, shipped(), {}, TINY, sources)
    again = load_file(assets / "tiny.safetensors")
    assert all(torch.equal(again[name], tensor) for name, tensor in weights.items())
    with pytest.raises(UserError, match="another recipe"):
        go_on(run, assets, shipped(), {}, replace(TINY, decoder_pairs=4), sources)


def test_networks_for_fewer_latent_channels_become_the_presets(tmp_path: Path) -> None:
    recipe = replace(TINY, autoencoder=SHORT, lessons=TINY.lessons[:1] + TINY.lessons[2:])
    start = shipped(latent_channels=3)
    go_on(tmp_path / "run", tmp_path / "assets", start, {}, recipe)

    assets, picture = tmp_path / "assets", torch.rand(1, 3, 64, 48)
    for name, old in start.items():
        made = load_networks(preset(name), assets / "autoencoder.safetensors", assets / f"{name}.safetensors")
        assert made.unet.conv_in.weight.shape[1] == 13
        assert made.autoencoder.encode(picture).shape == (1, 4, 8, 6)
        assert not torch.allclose(made.autoencoder.encode(picture)[:, :3], old.autoencoder.encode(picture), atol=5e-3)
        assert made.unet.conv_out.weight[3].abs().max() > 0
    record = json.loads((assets / "recipe.json").read_text())
    assert record["kept"] == []
    assert list(record["minutes"]) == ["autoencoder", "tiny in 1", "tiny-teacher in 1", "decoder"]


def test_the_shipped_recipe_tunes_the_decoder_to_what_it_taught() -> None:
    assert FURTHER.decoder_of in {lesson.preset for lesson in FURTHER.lessons}


def test_a_recipe_in_bfloat16_is_so_in_every_stage() -> None:
    recipe = in_bf16(replace(FURTHER, autoencoder=SHORT))
    assert recipe.autoencoder == replace(SHORT, bf16=True)
    assert all(loop.bf16 for loop in (recipe.decoder, *(each.loop for each in recipe.lessons)))
    assert replace(recipe.decoder, bf16=False) == FURTHER.decoder
    assert recipe.amounts == FURTHER.amounts

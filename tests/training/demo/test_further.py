"""Weights are gone on with in rounds: every network changes, seeds are averaged, and a stopped run resumes."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lite_vton.data.drawn.dataset import synthesize
from lite_vton.errors import UserError
from lite_vton.model.networks import Networks, load_networks, random_networks
from lite_vton.presets.table import preset
from lite_vton_training.demo.further import FURTHER, Further, go_on
from lite_vton_training.loop.bfloat16 import in_bf16
from lite_vton_training.loop.fit import LoopConfig
from lite_vton_training.mix.kinds import Amounts
from lite_vton_training.mix.sources import Sources
from lite_vton_training.trainers.painting import Painting

pytestmark = pytest.mark.slow

SHORT = LoopConfig(steps=3, batch_size=4, learning_rate=1e-3, warmup_steps=1, checkpoint_every=2)
TINY = Further(
    presets=("tiny", "tiny-teacher"),
    amounts=Amounts(drawn=4, variants=2, mended=1, seed=5),
    painting=Painting(shares=FURTHER[0].painting.shares),
    loop=SHORT,
)
ROUNDS = (TINY, replace(TINY, amounts=replace(TINY.amounts, variants=1, seed=6), seeds=(1, 2)))


def shipped() -> dict[str, Networks]:
    student, teacher = (random_networks(preset(name)) for name in TINY.presets)
    return {"tiny": student, "tiny-teacher": replace(teacher, autoencoder=student.autoencoder)}


def test_autoencoder_student_and_teacher_learn_together(tmp_path: Path) -> None:
    photographs = synthesize(tmp_path / "photographs", 3, seed=2, height=96, width=72, test_share=0.0)
    sources = Sources(photographs, photographs / "train/cloth")
    networks = shipped()
    before = {name: deepcopy(each) for name, each in networks.items()}
    run, assets = tmp_path / "run", tmp_path / "assets"
    go_on(run, assets, networks, {"date": "long ago"}, ROUNDS, sources)

    record = json.loads((assets / "recipe.json").read_text())
    first = record["before"]
    assert record["pairs"] == {"photographs": 3, "mended": 3, "drawn": 4}
    assert first["pairs"] == {"photographs": 6, "mended": 3, "drawn": 4}
    assert (record["kept"], first["kept"], first["before"]) == ([], [], {"date": "long ago"})
    assert set(record["minutes"]) == set(first["minutes"]) == {"painting"}
    assert (run / "2/seed-1/painting/log.csv").read_text() != (run / "2/seed-2/painting/log.csv").read_text()
    for name, old in before.items():
        made = load_networks(preset(name), assets / "autoencoder.safetensors", assets / f"{name}.safetensors")
        assert not torch.allclose(made.unet.conv_out.weight, old.unet.conv_out.weight, atol=1e-5)
        picture = torch.rand(1, 3, 64, 48)
        latents = [each.autoencoder.encode(picture) for each in (made, old)]
        assert not torch.allclose(*latents, atol=1e-3)
        pictures = [each.autoencoder.decode(latents[1]) for each in (made, old)]
        assert not torch.allclose(*pictures, atol=1e-3)

    weights = load_file(assets / "tiny.safetensors")
    shutil.rmtree(run / "2/weights")
    shutil.rmtree(assets)
    go_on(run, assets, shipped(), {}, ROUNDS, sources)
    again = load_file(assets / "tiny.safetensors")
    assert all(torch.equal(again[name], tensor) for name, tensor in weights.items())
    with pytest.raises(UserError, match="another recipe"):
        go_on(run, assets, shipped(), {}, (replace(TINY, loop=replace(SHORT, steps=4)),), sources)


def test_a_recipe_in_bfloat16_is_so_where_it_learns_and_otherwise_the_same() -> None:
    rounds = in_bf16(FURTHER)
    assert all(each.loop.bf16 for each in rounds)
    assert tuple(replace(each, loop=replace(each.loop, bf16=False)) for each in rounds) == FURTHER

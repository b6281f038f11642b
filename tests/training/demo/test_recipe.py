"""The recipe runs from nothing to weights, and a second run finds everything done."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lite_vton.data.drawn.dataset import synthesize
from lite_vton.errors import UserError
from lite_vton.model.networks import ASSETS, load_networks, random_networks
from lite_vton.presets.table import preset
from lite_vton_training.demo.recipe import DEMO, train_demo, train_demo_student
from lite_vton_training.demo.record import read_record
from lite_vton_training.loop.fit import LoopConfig
from lite_vton_training.mix.sources import Sources

pytestmark = pytest.mark.slow

SHORT = LoopConfig(steps=3, batch_size=2, learning_rate=1e-3, warmup_steps=1, checkpoint_every=2)
RECIPE = replace(
    DEMO,
    pairs=6,
    teacher_preset="tiny-teacher",
    student_preset="tiny",
    autoencoder=SHORT,
    teacher=SHORT,
    student=SHORT,
    few_steps=SHORT,
    painting=SHORT,
    distill="feature",
    start="slimmed",
)


def test_recipe_goes_from_nothing_to_weights_that_load(tmp_path: Path) -> None:
    train_demo(tmp_path / "run", tmp_path / "assets", RECIPE)
    networks = load_networks(
        preset("tiny"), tmp_path / "assets/autoencoder.safetensors", tmp_path / "assets/tiny.safetensors"
    )
    assert networks.latent_scale != 1.0
    record = json.loads((tmp_path / "assets/recipe.json").read_text())
    assert record["recipe"]["pairs"] == 6
    assert set(record["minutes"]) == {"autoencoder", "teacher", "student", "few steps", "painting"}

    weights = load_file(tmp_path / "assets/tiny.safetensors")
    train_demo(tmp_path / "run", tmp_path / "assets", RECIPE)
    for name, tensor in load_file(tmp_path / "assets/tiny.safetensors").items():
        assert torch.equal(tensor, weights[name])

    assert record["recipe"]["start"] == "slimmed"
    with pytest.raises(UserError, match="another recipe"):
        train_demo(tmp_path / "run", tmp_path / "assets", replace(RECIPE, pairs=7))


def test_photographs_and_garments_are_trained_on_beside_drawn_pairs(tmp_path: Path) -> None:
    folder = synthesize(tmp_path / "photographs", 3, seed=2, height=96, width=72, test_share=0.0)
    sources = Sources(photographs=folder, garments=folder / "train/cloth")
    train_demo(tmp_path / "run", tmp_path / "assets", replace(RECIPE, variants=2, mended=1), sources)
    record = json.loads((tmp_path / "assets/recipe.json").read_text())
    assert record["pairs"] == {"photographs": 6, "mended": 3, "drawn": 6}


def test_a_student_alone_leaves_autoencoder_and_teacher_as_they_were(tmp_path: Path) -> None:
    taught = random_networks(preset("tiny-teacher"))
    train_demo_student(tmp_path / "run", tmp_path / "assets", taught, RECIPE)
    assert {file.name for file in (tmp_path / "assets").iterdir()} == {"tiny.safetensors", "recipe.json"}
    record = json.loads((tmp_path / "assets/recipe.json").read_text())
    assert record["kept"] == ["autoencoder", "teacher"]
    assert record["before"] == read_record(ASSETS)
    assert set(record["minutes"]) == {"student", "few steps"}
    weights = load_file(tmp_path / "assets/tiny.safetensors")

    (tmp_path / "assets/tiny.safetensors").unlink()
    train_demo_student(tmp_path / "run", tmp_path / "assets", taught, RECIPE)
    again = load_file(tmp_path / "assets/tiny.safetensors")
    assert all(torch.equal(again[name], tensor) for name, tensor in weights.items())

    with pytest.raises(UserError, match="another recipe"):
        train_demo_student(tmp_path / "run", tmp_path / "assets", random_networks(preset("tiny-teacher"), 1), RECIPE)

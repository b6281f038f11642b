"""`--autoencoder` from the list of models to a picture: a kind, or a trained one's file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from lite_vton import Bundle
from lite_vton.cli import main
from lite_vton.presets.autoencoders import autoencoder_kind, with_autoencoder
from lite_vton.presets.table import preset
from lite_vton.workflows.weights import config_of, run_files

pytestmark = pytest.mark.slow

Refused = Callable[..., str]
SHORT = ("--steps", "2", "--batch-size", "2")


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs of tiny-kl with random weights: with its own autoencoder, and with a small one."""
    from lite_vton.model.networks import random_networks, save_networks

    folder = tmp_path_factory.mktemp("kinds")
    for kind in ("kl", "tiny"):
        save_networks(random_networks(with_autoencoder(preset("tiny-kl"), kind)), *run_files(folder / kind))
    return {kind: folder / kind for kind in ("kl", "tiny")}


def test_models_counts_what_the_small_autoencoder_costs(capfd: pytest.CaptureFixture[str], refused: Refused) -> None:
    flops = {}
    for kind in ("kl", "tiny"):
        assert main(["models", "--preset", "litemp-vton", "--autoencoder", kind, "--json"]) == 0
        (row,) = json.loads(capfd.readouterr().out)
        flops[kind] = row["components"]["vae_decoder"]["flops"]
    assert flops["tiny"] < flops["kl"] / 20
    assert "name it with --preset" in refused("models", "--autoencoder", "tiny")


def test_a_bundle_of_another_autoencoder_says_so_and_dresses(
    options: Callable[..., list[str]], tmp_path: Path, refused: Refused
) -> None:
    export = ["export", "tiny-kl", "-o", str(tmp_path / "bundle"), "--precision", "fp32", "--steps", "1"]
    assert main([*export, "--autoencoder", "tiny"]) == 0
    bundle = Bundle.open(tmp_path / "bundle")
    assert bundle.manifest.model == with_autoencoder(preset("tiny-kl"), "tiny")
    assert bundle.manifest.latent_scale == preset("tiny-kl").autoencoder.latent_scale
    assert "has its autoencoder" in refused(
        "export", tmp_path / "bundle", "--format", "onnx", "--autoencoder", "kl", "--overwrite"
    )
    dress = ["run", str(tmp_path / "bundle"), *options(), "--steps", "1", "-o", str(tmp_path / "dressed.png")]
    assert main(dress) == 0


def test_a_run_is_exported_with_the_file_of_a_small_autoencoder(
    runs: dict[str, Path], tmp_path: Path, refused: Refused
) -> None:
    export = ["export", str(runs["kl"]), "-o", str(tmp_path / "bundle"), "--precision", "fp32", "--steps", "1"]
    assert "give the file of a tiny one" in refused(*export, "--autoencoder", "tiny")
    assert main([*export, "--autoencoder", str(runs["tiny"] / "autoencoder.safetensors")]) == 0
    manifest = Bundle.open(tmp_path / "bundle").manifest
    assert autoencoder_kind(manifest.model) == "tiny"
    assert manifest.source.checkpoint == "run kl; autoencoder of tiny"
    for part, kind in (("autoencoder", "tiny"), ("unet", "kl")):
        given, kept = (load_file(run / f"{part}.safetensors") for run in (runs[kind], tmp_path / "bundle/weights"))
        assert all(np.array_equal(given[name], kept[name]) for name in given)


def test_an_autoencoder_whose_latents_are_scaled_otherwise_is_refused(
    runs: dict[str, Path], tmp_path: Path, refused: Refused
) -> None:
    from lite_vton.model.networks import random_networks, save_networks

    other = random_networks(with_autoencoder(preset("tiny-kl"), "tiny"))
    save_networks(replace(other, latent_scale=0.5), *run_files(tmp_path / "other"))
    file = tmp_path / "other/autoencoder.safetensors"
    said = refused("export", runs["kl"], "-o", tmp_path / "bundle", "--precision", "fp32", "--autoencoder", file)
    assert "scales its latents by 0.5" in said
    missing = tmp_path / "none.safetensors"
    assert "no autoencoder at" in refused("export", runs["kl"], "-o", tmp_path / "bundle", "--autoencoder", missing)


def test_a_student_has_its_teachers_autoencoder_or_another_in_its_latent_space(
    runs: dict[str, Path], dataset: Path, tmp_path: Path
) -> None:
    file = runs["tiny"] / "autoencoder.safetensors"
    words = ["distill", "tiny-kl", "--teacher", str(runs["kl"]), "--data", str(dataset), *SHORT]
    assert main([*words, "-o", str(tmp_path / "small"), "--autoencoder", str(file)]) == 0
    assert autoencoder_kind(config_of(str(tmp_path / "small"))) == "tiny"
    given, kept = load_file(file), load_file(tmp_path / "small/autoencoder.safetensors")
    assert all(np.array_equal(given[name], kept[name]) for name in given)
    words = ["distill", "tiny-kl", "--teacher", str(runs["tiny"]), "--data", str(dataset), *SHORT]
    assert main([*words, "-o", str(tmp_path / "same")]) == 0
    assert autoencoder_kind(config_of(str(tmp_path / "same"))) == "tiny"


def test_the_small_autoencoder_is_trained_from_pictures_where_none_is_given(
    dataset: Path, tmp_path: Path, refused: Refused
) -> None:
    words = ["train", "tiny-kl", "--data", str(dataset), "-o", str(tmp_path / "run"), *SHORT]
    assert "is not trained here" in refused(*words)
    assert main([*words, "--autoencoder", "tiny"]) == 0
    assert (tmp_path / "run/autoencoder").is_dir()
    assert autoencoder_kind(config_of(str(tmp_path / "run"))) == "tiny"

"""The switches of a model on the command line: CLIP's tokens, the mask and the pose, from training to a picture."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from lite_vton.cli import main
from lite_vton.presets.conditioning import Conditioning
from lite_vton.presets.table import preset
from lite_vton.workflows.weights import config_of, run_files

pytestmark = pytest.mark.slow

Refused = Callable[..., str]
SHORT = ("--steps", "2", "--batch-size", "2")


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An autoencoder's file and an image tower's folder for tiny-clip, whose autoencoder is not trained here."""
    from lite_vton.model.networks import random_networks, save_networks

    folder, networks = tmp_path_factory.mktemp("clip"), random_networks(preset("tiny-clip"))
    save_networks(networks, *run_files(folder))
    networks.image_encoder.save_pretrained(folder / "tower")  # type: ignore[union-attr,operator]
    return {"autoencoder": run_files(folder)[0], "image-encoder": folder / "tower"}


@pytest.fixture(scope="session")
def seeing(dataset: Path, clip: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of tiny-clip."""
    output = tmp_path_factory.mktemp("runs") / "clip"
    files = [word for name, path in clip.items() for word in (f"--{name}", str(path))]
    assert main(["train", "tiny-clip", "--data", str(dataset), "-o", str(output), *SHORT, *files]) == 0
    return output


@pytest.fixture(scope="session")
def plain(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the tiny teacher on plain masks and without the pose: component A."""
    output = tmp_path_factory.mktemp("runs") / "plain"
    words = ["train", "tiny-teacher", "--data", str(dataset), "-o", str(output), *SHORT]
    assert main([*words, "--mask", "plain", "--no-pose"]) == 0
    return output


def distilled(model: str, teacher: Path, data: Path, output: Path, *more: str) -> int:
    return main(["distill", model, "--teacher", str(teacher), "--data", str(data), "-o", str(output), *SHORT, *more])


def test_a_run_with_clip_keeps_its_image_encoder_and_resumes(
    seeing: Path, dataset: Path, clip: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    assert (seeing / "image_encoder.safetensors").is_file()
    before = load_file(seeing / "unet.safetensors")
    files = [word for name, path in clip.items() for word in (f"--{name}", str(path))]
    words = ["train", "tiny-clip", "--data", str(dataset), "-o", str(seeing), *SHORT, *files, "--resume"]
    assert main(words) == 0
    assert "image_encoder.safetensors (" in capfd.readouterr().out
    after = load_file(seeing / "unet.safetensors")
    assert all((before[name] == after[name]).all() for name in before)
    capfd.readouterr()
    assert main(["eval", str(seeing), "--data", str(dataset), "--pairs", "1", "--steps", "1", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)[0]["pairs"] == 1


def test_a_run_with_clip_does_not_go_on_with_another_image_encoder(
    dataset: Path, clip: dict[str, Path], seeing: Path, tmp_path: Path, refused: Refused
) -> None:
    from lite_vton.model.networks import random_networks

    other, run = random_networks(preset("tiny-clip"), seed=1).image_encoder, tmp_path / "run"
    other.save_pretrained(tmp_path / "other")  # type: ignore[union-attr,operator]
    shutil.copytree(seeing, run)
    words = ("train", "tiny-clip", "--data", dataset, "-o", run, *SHORT, "--autoencoder", clip["autoencoder"])
    said = refused(*words, "--image-encoder", tmp_path / "other", "--resume")
    assert "begun with other settings" in said


def test_a_student_without_clip_learns_from_a_teacher_that_has_it(
    seeing: Path, dataset: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert distilled("tiny-kl", seeing, dataset, tmp_path / "student") == 0
    assert "first weights are its teacher's" in capfd.readouterr().out
    assert not (tmp_path / "student/image_encoder.safetensors").exists()
    assert not any("attn2" in name for name in load_file(tmp_path / "student/unet.safetensors"))


def test_an_image_encoder_is_asked_for_by_name(
    seeing: Path, dataset: Path, clip: dict[str, Path], tmp_path: Path, refused: Refused
) -> None:
    run = ("--data", dataset, "-o", tmp_path / "run")
    tower = ("--image-encoder", clip["image-encoder"])
    said = refused("train", "tiny-clip", *run, "--autoencoder", clip["autoencoder"])
    assert "tiny-clip looks at the garment through CLIP" in said
    assert "--image-encoder" in said
    assert "leave out --image-encoder" in refused("train", "tiny", *run, *tower)
    assert "the teacher has an image encoder" in refused("distill", "tiny-kl", "--teacher", seeing, *run, *tower)
    assert "looks at the garment through CLIP" in refused("distill", "tiny-clip", "--teacher", "tiny-kl", *run)
    words = ("train", "tiny-clip", *run, "--image-encoder", tmp_path)
    assert "holds no CLIP checkpoint" in refused(*words)


def test_a_student_is_conditioned_as_its_teacher_unless_told_otherwise(
    plain: Path, dataset: Path, tmp_path: Path, refused: Refused
) -> None:
    assert Conditioning.of(config_of(str(plain))) == Conditioning("plain", pose=False)
    assert distilled("tiny", plain, dataset, tmp_path / "same") == 0
    assert Conditioning.of(config_of(str(tmp_path / "same"))) == Conditioning("plain", pose=False)
    assert distilled("tiny", plain, dataset, tmp_path / "posed", "--pose") == 0
    assert Conditioning.of(config_of(str(tmp_path / "posed"))) == Conditioning("plain")
    words = ("distill", "tiny", "--teacher", plain, "--data", dataset, "-o", tmp_path / "other")
    assert "was trained on plain masks" in refused(*words, "--mask", "improved")
    assert "did you mean 'improved'" in refused(*words, "--mask", "improvd")


def test_a_run_is_judged_and_exported_as_it_was_trained_and_dresses_with_a_parse(
    plain: Path,
    dataset: Path,
    options: Callable[..., list[str]],
    tmp_path: Path,
    refused: Refused,
) -> None:
    words = ["eval", str(plain), "--data", str(dataset), "--pairs", "1", "--steps", "1"]
    assert main([*words, "-o", str(tmp_path / "own")]) == 0
    assert main([*words, "--mask", "improved", "-o", str(tmp_path / "other")]) == 0
    own, other = (json.loads((tmp_path / name / "eval.json").read_text()) for name in ("own", "other"))
    assert (own["mask"], other["mask"]) == ("plain", "improved")
    assert own["rows"][1]["psnr_in_mask"] != other["rows"][1]["psnr_in_mask"], "other pixels are judged"

    bundle = tmp_path / "bundle"
    assert main(["export", str(plain), "-o", str(bundle), "--precision", "fp32", "--steps", "1"]) == 0
    assert json.loads((bundle / "manifest.json").read_text())["model"]["mask"] == "plain"
    dress = ["run", str(bundle), *options(), "--steps", "1"]
    nothing = tmp_path / "nothing.png"
    assert f"cannot read {nothing}" in refused(*dress, "-o", tmp_path / "refused.png", "--parse", nothing)
    assert "with a parse (--parse)" in refused(*dress, "-o", tmp_path / "refused.png")
    parse = dataset / "train/image-parse-v3/00000_00.png"
    assert main([*dress, "-o", str(tmp_path / "dressed.png"), "--parse", str(parse)]) == 0

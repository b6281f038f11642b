"""`lite-vton eval`: figures of models, and of folders of results."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lite_vton.cli import main
from lite_vton.workflows.evaluate.model import KEYS

Refused = Callable[..., str]
Weights = dict[str, torch.Tensor]


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine's cache holds, these tests find nothing in it."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("torch")))


@pytest.fixture(scope="session")
def weights(
    tmp_path_factory: pytest.TempPathFactory, alexnet: Weights, inception: Weights
) -> tuple[str, str, str, str]:
    """The options that name both networks' files."""
    folder = tmp_path_factory.mktemp("weights")
    torch.save(alexnet, folder / "alexnet.pth")
    torch.save(inception, folder / "inception.pth")
    return ("--lpips-weights", str(folder / "alexnet.pth"), "--inception-weights", str(folder / "inception.pth"))


@pytest.fixture
def photographs(dataset: Path, tmp_path: Path) -> Path:
    """The test split's own photographs as somebody's perfect results."""
    folder = tmp_path / "results"
    folder.mkdir()
    for file in (dataset / "test/image").iterdir():
        Image.open(file).save(folder / f"{file.stem}.png")
    return folder


def judged(output: Path) -> dict[str, Any]:
    return json.loads((output / "eval.json").read_text())


@pytest.mark.slow
def test_a_model_without_weights_for_lpips_and_fid_is_scored_on_the_rest(
    dataset: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["eval", "tiny", "--data", str(dataset), "--pairs", "2", "--steps", "1"]
    assert main([*words, "-o", str(tmp_path / "out"), "--save-pictures", "--sheet"]) == 0
    out, err = capfd.readouterr()
    assert "PSNR in mask" in out
    assert "LPIPS" not in out
    assert "LPIPS left out: needs torchvision's AlexNet" in err
    assert "FID and KID left out: needs torch-fidelity's Inception" in err
    found = judged(tmp_path / "out")
    assert (found["pairs"], found["height"], found["width"], found["steps"]) == (2, 64, 48, 1)
    model = found["rows"][0]
    assert model["repainted"]["fid"] is model["repainted"]["whole"]["lpips"] is None
    assert model["psnr_in_mask"] == model["repainted"]["masked"]["psnr"] == model["raw"]["masked"]["psnr"]
    assert model["repainted"]["whole"]["ssim"] > model["raw"]["whole"]["ssim"], "the untrained model ruins the rest"
    report = (tmp_path / "out/eval.md").read_text()
    assert "LPIPS left out" in report
    assert "| HaarPSI in mask |" in report
    assert "- haarpsi: " in report
    assert [row["what"].partition(" (")[0] for row in found["rows"]] == [
        "tiny",
        "pasted warp, no network",
        "pasted warp, inpainted",
        "pasted warp, Poisson",
        "autoencoder alone, the ceiling",
    ]
    grey, filled = (found["rows"][number]["repainted"] for number in (1, 2))
    assert filled["whole"]["haarpsi"] > grey["whole"]["haarpsi"], "grey is nobody's arm"
    assert filled["masked"]["haarpsi"] > grey["masked"]["haarpsi"]

    # Two rows of 64x48, enlarged so that headings fit: masked person, garment, two baselines, model, photograph.
    sheet = np.asarray(Image.open(tmp_path / "out/side-by-side.jpg"))
    assert sheet.shape[0] == pytest.approx(2 * 2 * 64, abs=60)
    assert sheet.shape[1] >= 6 * 96

    assert {path.name for path in (tmp_path / "out/pictures").iterdir()} == set(KEYS) - {"teacher"}
    assert not list(tmp_path.rglob(".lite-vton-*"))

    # The pictures that were kept score the same as somebody's results.
    words = ["eval", "--results", str(tmp_path / "out/pictures/model"), "--data", str(dataset), "--json"]
    assert main(words) == 0
    (row,) = json.loads(capfd.readouterr().out)
    assert row["repainted"] == row["raw"] == model["repainted"]
    assert row["ms_per_pair"] is None


def test_pictures_of_somebody_else_are_refused_before_anything_is_judged(
    dataset: Path, tmp_path: Path, refused: Refused
) -> None:
    (tmp_path / "out/pictures/model").mkdir(parents=True)
    (tmp_path / "out/pictures/model/notes.txt").write_text("mine")
    words = ("eval", "tiny", "--data", dataset, "--pairs", 1, "--steps", 1, "-o", tmp_path / "out", "--save-pictures")
    assert "pictures exists and holds something else" in refused(*words)


@pytest.mark.slow
def test_perfect_results_score_the_highest_in_everything(
    dataset: Path, photographs: Path, weights: tuple[str, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["eval", "--results", str(photographs), "--data", str(dataset), *weights, "-o", str(tmp_path / "out")]
    assert main(words) == 0
    out, err = capfd.readouterr()
    assert all(heading in out for heading in ("PSNR in mask", "SSIM", "HaarPSI", "LPIPS", "FID", "KID x1000"))
    assert "alexnet.pth is not the published file" in err
    found = judged(tmp_path / "out")
    figures = found["rows"][0]["raw"]
    assert (found["height"], found["width"], found["pairs"], found["left_out"]) == (256, 192, 2, [])
    assert figures["whole"] == pytest.approx({"psnr": 100, "ssim": 1, "haarpsi": 1, "lpips": 0}, abs=1e-5)
    assert figures["masked"] == pytest.approx({"psnr": 100, "ssim": 1, "haarpsi": 1, "lpips": 0}, abs=1e-5)
    assert figures["fid"] == pytest.approx(0, abs=1e-6)
    assert figures["kid"]["mean"] <= 0
    assert [source["published"] for source in found["weights"]] == [False, False]
    assert "is already" not in err
    assert main(words) == 2
    assert "add --overwrite" in capfd.readouterr().err


@pytest.mark.slow
def test_unpaired_results_are_judged_by_distribution_alone(
    dataset: Path, photographs: Path, weights: tuple[str, ...], refused: Refused, capfd: pytest.CaptureFixture[str]
) -> None:
    pairs = [line.split() for line in (dataset / "test_pairs.txt").read_text().splitlines()]
    for person, cloth in pairs:
        file = photographs / f"{Path(person).stem}.png"
        file.rename(photographs / f"{Path(person).stem}_{Path(cloth).stem}.png")
    words = ("eval", "--results", photographs, "--data", dataset, "--unpaired")
    assert "FID and KID alone" in refused(*words)
    assert main([*map(str, words), *weights, "--height", "128", "--width", "96", "--json"]) == 0
    (row,) = json.loads(capfd.readouterr().out)
    assert row["ssim"] is row["raw"]["whole"] is row["raw"]["masked"] is None
    assert row["raw"]["fid"] == pytest.approx(0, abs=1e-6)


def test_missing_results_are_counted_and_named(dataset: Path, photographs: Path, refused: Refused) -> None:
    names = sorted(file.name for file in photographs.iterdir())
    (photographs / names[1]).unlink()
    said = refused("eval", "--results", photographs, "--data", dataset)
    assert "lacks 1 of 2 pictures" in said
    assert Path(names[1]).stem in said
    assert main(["eval", "--results", str(photographs), "--data", str(dataset), "--pairs", "1"]) == 0


def test_results_of_odd_sizes_are_refused_unless_a_size_is_given(
    dataset: Path, photographs: Path, refused: Refused
) -> None:
    last = sorted(photographs.iterdir())[-1]
    Image.open(last).resize((96, 128)).save(last)
    said = refused("eval", "--results", photographs, "--data", dataset)
    assert f"{last.name} is 96x128, the first picture 192x256" in said
    words = ["eval", "--results", str(photographs), "--data", str(dataset), "--height", "128", "--width", "96"]
    assert main(words) == 0
    Image.open(last).resize((96, 96)).save(last)
    assert "is 96x96" in refused(*words)


def test_a_broken_photograph_is_named_and_skipped_on_demand(
    dataset: Path, photographs: Path, tmp_path: Path, refused: Refused, capfd: pytest.CaptureFixture[str]
) -> None:
    import shutil

    copied = tmp_path / "data"
    shutil.copytree(dataset, copied)
    mask = sorted((copied / "test/agnostic-mask").iterdir())[0]
    Image.fromarray(255 - np.asarray(Image.open(mask))).save(mask)
    words = ("eval", "--results", photographs, "--data", copied)
    assert f"{mask.name} does not repaint the torso" in refused(*words)
    assert main([*map(str, words), "--skip-broken", "--json"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)[0]["pairs"] == 1
    assert f"{mask.name} does not repaint the torso" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name a model to judge, or a folder of results"),
        (("tiny", "--results", "somewhere"), "one of the two"),
        (("--results", "somewhere"), "--results needs --data"),
        (("tiny", "--height", "64"), "go together and with --results"),
        (("tiny", "--save-pictures"), "--save-pictures needs a model and --output"),
        (("tiny", "--sheet"), "--sheet needs a model and --output"),
        (("tiny", "--unpaired"), "FID and KID alone"),
        (("tiny", "--lpips-weights", "nothing.pth"), "no weights at nothing.pth"),
    ],
)
def test_what_makes_no_sense_together_is_refused(words: tuple[str, ...], said: str, refused: Refused) -> None:
    assert said in refused("eval", *words)


def test_results_for_a_dataset_that_has_no_such_category_are_refused(
    dataset: Path, photographs: Path, refused: Refused
) -> None:
    said = refused("eval", "--results", photographs, "--data", dataset, "--category", "dresses")
    assert "only DressCode's folders are sorted by category" in said

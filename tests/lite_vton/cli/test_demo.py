from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from lite_vton.cli import main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "out"
    assert main(["demo", "-o", str(folder), "--preset", "tiny", "--pairs", "2"]) == 0
    return folder


def test_the_chain_leaves_everything_there_is_to_see(shown: Path) -> None:
    names = {path.name for path in shown.iterdir()}
    assert names == {
        "bundle", "contact-sheet.png", "verify.json",
        "benchmark.json", "benchmark.csv", "benchmark.md", "benchmark.png",
    }  # fmt: skip
    with Image.open(shown / "contact-sheet.png") as sheet:
        assert sheet.width > 7 * 96  # four columns of what is given, three of results
        assert sheet.height > 2 * 128
    assert json.loads((shown / "verify.json").read_text(encoding="utf-8"))["passed"] is True


def test_every_backend_is_measured(shown: Path) -> None:
    lines = (shown / "benchmark.csv").read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert [(row["backend"], row["precision"], row["target"]) for row in rows] == [
        ("torch", "fp32", "try_on"),
        ("onnxruntime", "fp32", "try_on"),
        ("onnxruntime", "fp16", "try_on"),
    ]


def test_a_folder_in_use_is_refused(shown: Path, refused: Callable[..., str]) -> None:
    assert "--overwrite" in refused("demo", "-o", shown, "--preset", "tiny")


def test_the_bundle_can_be_benchmarked_on_what_it_holds(
    shown: Path, tmp_path: Path, refused: Callable[..., str], capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["benchmark", str(shown / "bundle"), "-o", str(tmp_path / "report"), "--target", "unet", "--runs", "2"]
    assert main([*words, "--warmup", "0", "--precision", "fp16", "--json"]) == 0
    (row,) = json.loads(capfd.readouterr().out)["rows"]
    assert (row["target"], row["precision"], row["runs"]) == ("unet", "fp16", 2)
    assert "did you mean 'onnxruntime'?" in refused(*words, "--backend", "onnx-runtime")
    assert "unknown precision" in refused(*words, "--precision", "fp6")
    assert "nothing for torch" in refused(*words, "--backend", "torch", "--precision", "fp16")
    assert "cannot sample in 0 steps" in refused(*words, "--steps", "0")

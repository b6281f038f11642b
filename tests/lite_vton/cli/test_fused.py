from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lite_vton.cli import main

Refused = Callable[..., str]
Options = Callable[..., list[str]]


@pytest.fixture(scope="module")
def fused(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Path:
    path = tmp_path_factory.mktemp("fused") / "tiny"
    words = ["export", str(bundle), "-o", str(path), "--format", "onnx", "--precision", "fp32", "--fused"]
    assert main(words) == 0
    return path


@pytest.mark.slow
def test_a_fused_run_gives_the_picture_of_the_other(fused: Path, options: Options, tmp_path: Path) -> None:
    outputs = [tmp_path / "parts.png", tmp_path / "whole.png"]
    for output, more in zip(outputs, ([], ["--fused"]), strict=True):
        assert main(["run", str(fused), *options(), "--steps", "3", "-o", str(output), *more]) == 0
    parts, whole = (np.asarray(Image.open(output)).astype(int) for output in outputs)
    assert np.abs(parts - whole).max() <= 1


@pytest.mark.slow
def test_verify_counts_the_fused_graph(fused: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(fused), "--artifact", "onnx-fp32-fused"]) == 0
    assert "passed   onnx-fp32-fused: try_on" in capfd.readouterr().out


@pytest.mark.slow
def test_the_benchmark_times_both_forms(fused: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["--backend", "onnxruntime", "--precision", "fp32", "--target", "try_on,fused", "--runs", "1"]
    assert main(["benchmark", str(fused), "-o", str(tmp_path / "b"), *words, "--warmup", "0"]) == 0
    shown = capfd.readouterr().out
    assert "try_on" in shown
    assert "fused" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fused", "--sampler", "lcm"], "samples by ddim, not lcm"),
        (["--fused", "--low-memory"], "leave --fused out"),
        (["--fused", "--no-detail"], "leave --fused out"),
        (["--fused", "--backend", "torch"], "no fused form"),
        (["--fused", "--precision", "fp16"], "holds no onnx-fp16-fused"),
    ],
)
def test_what_does_not_go_with_fused_is_refused(
    words: list[str], said: str, fused: Path, options: Options, refused: Refused, tmp_path: Path
) -> None:
    assert said in refused("run", fused, *options(), "-o", tmp_path / "out.png", *words)


def test_a_model_that_decodes_in_tiles_is_not_fused(refused: Refused, tmp_path: Path) -> None:
    words = ["--decoder-tile", "256,192", "--autoencoder", "tiny", "--precision", "fp32"]
    assert "decodes in tiles" in refused("export", "litemp-vton", "-o", tmp_path / "out", "--fused", *words)

"""`--format all`, `--keep-going`, formats added to a bundle, and a benchmark of whatever there is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lite_vton.bundle import Bundle
from lite_vton.cli import main
from lite_vton.workflows.backends import usable_backends
from lite_vton_export.formats import FORMATS

pytestmark = pytest.mark.slow

Refused = Callable[..., str]


def test_all_is_what_the_formats_have_and_the_rest_is_listed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["export", "tiny", "-o", str(tmp_path / "b"), "--dry-run", "--format", "all"]
    assert main([*words, "--precision", "fp32,fp16,bf16"]) == 0
    shown = capfd.readouterr().out
    assert "  onnx-fp16/unet\n" in shown
    assert "left out  coreai-bf16: coreai has fp32, fp16" in shown
    assert main([*words, "--precision", "all"]) == 0
    shown = capfd.readouterr().out
    assert all(f"  {row.name}-{precision}/unet\n" in shown for row in FORMATS.values() for precision in row.precisions)
    assert list(tmp_path.iterdir()) == []


def test_all_leaves_out_a_format_whose_packages_are_missing_and_a_named_one_is_an_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)  # how Python marks a module that is not there
    words = ["export", "tiny", "-o", str(tmp_path / "b"), "--dry-run", "--precision", "fp32"]
    assert main([*words, "--format", "all"]) == 0
    shown = capfd.readouterr().out
    assert "left out  openvino: needs openvino: pip install 'lite-vton[openvino]'" in shown
    assert "openvino-fp32" not in shown
    assert "lite-vton[openvino]" in refused(*words, "--format", "openvino")


def test_all_leaves_out_what_takes_hours_to_check(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["export", "teacher", "-o", str(tmp_path / "b"), "--dry-run", "--precision", "fp32"]
    assert main([*words, "--format", "all"]) == 0
    assert "left out  coreai: checking 384x512 takes hours here" in capfd.readouterr().out
    assert main([*words, "--format", "coreai"]) == 0
    assert "coreai-fp32/unet" in capfd.readouterr().out


def test_a_precision_that_nothing_has_is_a_slip_with_all_too(tmp_path: Path, refused: Refused) -> None:
    out = tmp_path / "b"
    assert "no format is written in 'fp23'" in refused(
        "export", "tiny", "-o", out, "--format", "all", "--precision", "fp23"
    )
    assert "did you mean 'onnx'" in refused("export", "tiny", "-o", out, "--format", "onxn,all")


def test_what_fails_is_left_out_only_when_told_to_and_the_exit_code_says_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "b"
    words = ["export", "tiny", "-o", str(out), "--steps", "1", "--min-psnr", "100"]
    assert main(words) == 1
    assert "onnx-fp16 failed verification" in capfd.readouterr().err
    assert not out.exists()
    assert main([*words, "--keep-going"]) == 1
    shown = capfd.readouterr().out
    assert "passed   onnx-fp32" in shown
    assert "FAILED   onnx-fp16: " in shown
    bundle = Bundle.open(out)
    assert set(bundle.manifest.artifacts) == {"onnx-fp32"}
    assert not (out / "onnx-fp16").exists()
    assert main(["verify", str(out)]) == 0


def test_nothing_left_is_nothing_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["export", "tiny", "-o", str(tmp_path / "b"), "--steps", "1", "--precision", "fp16", "--min-psnr", "190"]
    assert main([*words, "--keep-going"]) == 1
    assert "no artifact passed; nothing was written (onnx-" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_format_is_added_to_a_bundle_and_the_rest_stays_byte_for_byte(
    bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], refused: Refused
) -> None:
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    before = Bundle.open(copy).manifest
    adding = ["export", str(copy), "--format", "openvino", "--precision", "fp32"]
    assert "--overwrite" in refused(*adding)
    assert "leave --steps and --seed out" in refused(*adding, "--overwrite", "--steps", "3")
    assert main([*adding, "--overwrite"]) == 0
    assert "passed   openvino-fp32" in capfd.readouterr().out
    after = Bundle.open(copy).manifest
    assert list(after.artifacts) == ["onnx-fp32", "onnx-fp16", "openvino-fp32"]
    assert after.files.items() >= before.files.items()
    assert after.source == before.source
    assert after.kept_in_float32 == before.kept_in_float32
    assert main(["verify", str(copy)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]

    other = tmp_path / "other.zip"
    assert main(["export", str(copy), "-o", str(other), "--precision", "fp32"]) == 0
    assert set(Bundle.open(other).manifest.artifacts) == set(after.artifacts)


def test_an_addition_that_fails_leaves_the_bundle_as_it_was(bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(bundle, tmp_path / "copy"))
    before = Bundle.open(copy).manifest
    assert (
        main(["export", str(copy), "--format", "openvino", "--precision", "bf16", "--min-psnr", "190", "--overwrite"])
        == 1
    )
    assert Bundle.open(copy).manifest == before
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_a_benchmark_takes_every_backend_there_is_and_says_why_not_the_others(
    bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["benchmark", str(bundle), "-o", str(tmp_path / "report"), "--target", "vae_decoder"]
    assert main([*words, "--warmup", "0", "--runs", "1"]) == 0
    lines = capfd.readouterr().out.splitlines()
    timed = {line.split()[0] for line in lines if "vae_decoder" in line and "load" not in line.split()}
    assert {"onnxruntime", "torch"} <= timed
    usable, left_out = usable_backends(Bundle.open(bundle, check=False))
    assert timed == set(usable)
    assert all(f"left out {line}" in lines for line in left_out)
    assert any(line.startswith("left out openvino: not in the bundle: export it (`lite-vton export") for line in lines)


def test_doctor_says_which_versions_each_backend_runs_on(capfd: pytest.CaptureFixture[str]) -> None:
    import json

    assert main(["doctor", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    versions = {ability["name"]: ability["versions"] for ability in found["abilities"]}
    assert set(versions["run on onnxruntime"]) == {"onnxruntime"}
    assert {"torch", "onnx"} <= set(versions["export onnx"])
